// The control page. What is set lives on the server and comes back in events, so that tabs and reloads agree; only the
// before/after slider is this browser's own.
import { BrowserCamera } from "./camera.js";
import { Feed, drawFrame } from "./feed.js";

const COMPARE_KEY = "stylecast-compare";
const KEYS_KEY = "stylecast-keys";
const CAMERA_KEY = "stylecast-camera";
const COPIED_MS = 1500;
// Between changes of a slider that is being dragged: below the rate that the server allows.
const PAUSE_MS = 40;
// A server that is busy compiling takes a second; one that says nothing for this long does not hear us at all: browsers
// keep few connections to one address, and each open page holds two.
const ANSWER_TIMEOUT_MS = 10_000;
// The end of a recording is written, and a large picture is sent and decoded, for longer.
const LONG_TIMEOUT_MS = 120_000;
const RETRY_MS = 1000;
const LOST = "The connection to Stylecast is lost; trying again …";
const STARTED_ANEW = "Stylecast has been started anew: open the link that it has printed.";
const byId = (id) => document.getElementById(id);

const picture = byId("picture");
const returned = byId("returned");
const compare = byId("compare");
const camera = new BrowserCamera();
const feed = new Feed((frame) => drawFrame(picture, frame, compare.value / 100));

let description = null;
let state = null;
let lost = ""; // why nothing is heard of the server
let complaint = ""; // what the last request was refused for

// Talking to the server

async function post(path, content, { type = "application/json", timeoutMs = ANSWER_TIMEOUT_MS } = {}) {
  const body = type === "application/json" ? JSON.stringify(content) : content;
  const signal = AbortSignal.timeout(timeoutMs);
  let response;
  try {
    response = await fetch(path, { method: "POST", headers: { "Content-Type": type }, body, signal });
  } catch (error) {
    const isLate = error.name === "TimeoutError";
    throw new Error(`Stylecast does not answer.${isLate ? " If many pages of it are open here, close some." : ""}`);
  }
  const answer = await response.json().catch(() => ({ error: `The request was refused (${response.status}).` }));
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

// Sends changes one after the other: while one is on its way, later ones of the same path are merged into the next.
class Sender {
  #path;
  #wrap;
  #waiting = null;
  #isSending = false;

  constructor(path, wrap = (changes) => changes) {
    this.#path = path;
    this.#wrap = wrap;
  }

  // While it is, what people are setting counts, and not what the server has said of it.
  get isSending() {
    return this.#isSending;
  }

  async set(name, value) {
    this.#waiting = { ...this.#waiting, [name]: value };
    if (this.#isSending) return;
    this.#isSending = true;
    while (this.#waiting) {
      const changes = this.#waiting;
      this.#waiting = null;
      await attempt(() => post(this.#path, this.#wrap(changes)));
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    this.#isSending = false;
    render();
  }
}

const controls = new Sender("/controls");
const style = new Sender("/style");
const mix = new Sender("/mix", (weights) => ({ weights }));

// What is older than what is known already has been overtaken on its way.
function take(told) {
  if (state === null || told.moment >= state.moment) state = told;
}

async function attempt(work) {
  try {
    const answer = await work();
    complaint = "";
    if (answer?.controls) take(answer);
  } catch (error) {
    complaint = error.message;
  }
  render();
}

// Building the page from the description

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function build() {
  byId("gallery").append(...description.styles.map(styleCard));
  byId("controls").append(...description.options.map(control));
  byId("own").hidden = !description.takesPictures;
  byId("camera").hidden = !description.takesCamera;
  for (const { name, help } of description.keys) {
    byId("keys").append(element("dt", {}, element("kbd", {}, name)), element("dd", {}, help));
  }
  for (const code of document.querySelectorAll("#addresses code")) {
    code.textContent = location.origin + code.dataset.path + description.addressQuery;
    // Browsers lend the clipboard to pages of this machine and of HTTPS alone.
    if (navigator.clipboard) code.after(copyButton(code));
  }
  // A page that is loaded again goes on with the camera that it had.
  const hadCamera = sessionStorage.getItem(CAMERA_KEY) !== null;
  sessionStorage.removeItem(CAMERA_KEY); // until it is there again
  // The copy of a tab has what the tab stored, but is not to take its place.
  const isReload = performance.getEntriesByType("navigation")[0]?.type === "reload";
  if (description.takesCamera && hadCamera && isReload) toggleCamera();
}

function copyButton(code) {
  const button = element("button", { type: "button", ariaLabel: `Copy ${code.textContent}` }, "Copy");
  button.addEventListener("click", () =>
    attempt(async () => {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), COPIED_MS);
    }),
  );
  return button;
}

function styleCard({ name, title, artist, thumbnail }) {
  const input = element("input", { type: "radio", name: "style", value: name });
  input.addEventListener("change", () => style.set("name", name));
  const image = thumbnail
    ? element("img", { src: `/thumbnails/${encodeURIComponent(thumbnail)}.jpg`, alt: "", width: 160, height: 90 })
    : element("span", { className: "blank" });
  return element("label", { className: "card" }, input, image, element("span", { className: "title" }, title),
    element("small", {}, artist));
}

function control(option) {
  const id = `control-${option.name}`;
  const help = element("p", { id: `${id}-help`, className: "help" }, option.help);
  const label = element("label", { htmlFor: id }, option.label);
  const make = { range: rangeInput, switch: switchInput, choice: choiceInput }[option.kind];
  const input = make(option, id);
  input.dataset.control = option.name;
  input.setAttribute("aria-describedby", help.id);
  const parts = [label, input];
  if (option.kind === "range") parts.splice(1, 0, element("output", { htmlFor: id }));
  return element("div", { className: `control ${option.kind}` }, ...parts, help);
}

function rangeInput({ name, minimum, maximum, step }, id) {
  const input = element("input", { type: "range", id, min: minimum, max: maximum, step });
  input.addEventListener("input", () => {
    controls.set(name, Number(input.value));
    input.parentElement.querySelector("output").value = percent(input.value);
  });
  return input;
}

function switchInput({ name }, id) {
  const input = element("input", { type: "checkbox", id, role: "switch" });
  input.addEventListener("change", () => controls.set(name, input.checked));
  return input;
}

function choiceInput({ name, choices }, id) {
  const options = choices.map((choice) => element("option", { value: choice }, choice));
  const input = element("select", { id }, ...options);
  input.addEventListener("change", () => controls.set(name, input.value));
  return input;
}

const percent = (value) => `${Math.round(value * 100)} %`;

// Showing the state

function render() {
  renderMessage();
  if (!state || !description) return;
  for (const [name, text] of Object.entries(state.figures)) {
    const place = document.querySelector(`[data-figure="${name}"]`);
    if (place && place.textContent !== text) place.textContent = text;
  }
  byId("source").textContent = `Source: ${state.figures.source}`;
  byId("loading").hidden = !state.isLoading;
  for (const input of document.querySelectorAll("[name=style]")) {
    if (!style.isSending) input.checked = input.value === state.style;
  }
  for (const input of document.querySelectorAll("[data-control]")) renderControl(input);
  renderPictures();
  renderRecording();
  renderReturned();
}

function renderMessage() {
  // An old complaint must not hide what has happened since, nor a lasting fault the complaint.
  const text = [complaint, lost || state?.message].filter(Boolean).join("\n");
  const message = byId("message");
  if (message.textContent !== text) message.textContent = text;
  message.hidden = !text;
}

function renderControl(input) {
  const name = input.dataset.control;
  if (controls.isSending) return;
  const value = state.controls[name];
  if (input.type === "checkbox") {
    input.checked = value;
    return;
  }
  if (input.tagName === "SELECT" && ![...input.options].some((option) => option.value === value)) {
    input.append(element("option", { value }, value)); // set on the command line
  }
  input.value = value;
  const output = input.parentElement.querySelector("output");
  if (output) output.value = percent(value);
}

function renderPictures() {
  const list = byId("mix");
  // What stays is left alone: a slider in it may be being dragged.
  for (const item of [...list.children]) {
    if (!state.pictures.some(({ id }) => id === item.dataset.id)) removeItem(item);
  }
  for (const picture of state.pictures) {
    if (!list.querySelector(`[data-id="${CSS.escape(picture.id)}"]`)) list.append(pictureItem(picture));
  }
  for (const { id, weight } of state.pictures) {
    const input = list.querySelector(`[data-id="${CSS.escape(id)}"] input`);
    if (!mix.isSending) input.value = weight;
  }
}

// The keyboard goes on with the next picture, or with the field for another one.
function removeItem(item) {
  const hadFocus = item.contains(document.activeElement);
  const next = item.nextElementSibling ?? item.previousElementSibling;
  item.remove();
  if (hadFocus) (next?.querySelector("button") ?? byId("file")).focus();
}

function pictureItem({ id, name }) {
  const slider = element("input", { type: "range", min: 0, max: 1, step: 0.01, ariaLabel: `Share of ${name}` });
  slider.addEventListener("input", () => mix.set(id, Number(slider.value)));
  const remove = element("button", { type: "button", ariaLabel: `Remove ${name}`, title: "Remove" }, "×");
  remove.addEventListener("click", () => attempt(() => post("/remove", { id })));
  const image = element("img", { src: `/pictures/${id}.jpg`, alt: "" });
  const item = element("li", {}, image, element("span", { className: "name", title: name }, name), slider, remove);
  item.dataset.id = id;
  return item;
}

function renderRecording() {
  const { isPossible, seconds, finished } = state.recording;
  const isOn = seconds !== null;
  const button = byId("record");
  button.disabled = !isPossible && !isOn;
  button.title = isPossible ? "" : "Start with --record-folder FOLDER to record from here";
  button.classList.toggle("on", isOn);
  byId("record-label").textContent = isOn ? `Stop ${clock(seconds)}` : "Record";
  byId("recording").hidden = isOn || !finished;
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

// Before and after are compared in the feed, which holds both; else what comes back from the camera is shown.
function renderReturned() {
  const isShown = returned.srcObject !== null && compare.value === "0";
  if (returned.hidden === isShown) {
    returned.hidden = !isShown;
    picture.hidden = isShown;
  }
}

// What people do

function takeFile(file) {
  if (!file) return;
  if (file.size > description.uploadBytesMax) {
    complaint = `${file.name} is too large: at most ${Math.floor(description.uploadBytesMax / 1e6)} MB are taken.`;
    render();
    return;
  }
  const drop = byId("drop");
  drop.setAttribute("aria-busy", "true");
  const path = `/picture?name=${encodeURIComponent(file.name)}`;
  const options = { type: "application/octet-stream", timeoutMs: LONG_TIMEOUT_MS };
  attempt(() => post(path, file, options)).finally(() => drop.removeAttribute("aria-busy"));
}

let pressed = Promise.resolve();
function press(event) {
  // In a list letters look for an entry. Alt makes signs on some keyboards, and is not looked at.
  const isMeant = byId("keys-act").checked && !event.ctrlKey && !event.metaKey && event.target.tagName !== "SELECT";
  const isKey = event.key.length === 1 && isMeant && description !== null && state !== null;
  const key = isKey && description.keys.find(({ characters }) => characters.includes(event.key));
  if (!key) return;
  event.preventDefault();
  if (event.repeat && !"[]".includes(event.key)) return;
  if (key.button === null) {
    pressed = pressed.then(() => attempt(() => post("/key", { key: event.key }))); // in their order
    return;
  }
  const button = byId(key.button);
  if (key.button === "full" && document.fullscreenElement) document.exitFullscreen();
  else if (!button.disabled && !button.hidden) button.click();
  else if (button.title) {
    complaint = button.title;
    render();
  }
}

async function toggleCamera() {
  const button = byId("camera");
  if (returned.srcObject) {
    endCamera();
    await attempt(() => post("/hang-up", {}));
    return;
  }
  button.disabled = true;
  await attempt(() =>
    camera.start({
      offer: async (sdp) => (await post("/offer", { sdp })).sdp,
      show: (stream) => {
        returned.srcObject = stream;
        sessionStorage.setItem(CAMERA_KEY, "on");
        button.classList.add("on");
        button.textContent = "Stop this browser’s camera";
        render();
      },
      ended: () => {
        endCamera();
        complaint = "The connection of the camera has ended; another browser may have taken over.";
        render();
      },
    }),
  );
  button.disabled = false;
}

function endCamera() {
  sessionStorage.removeItem(CAMERA_KEY);
  camera.stop();
  returned.srcObject = null;
  byId("camera").classList.remove("on");
  byId("camera").textContent = "Use this browser’s camera";
  render();
}

function listen() {
  compare.value = sessionStorage.getItem(COMPARE_KEY) ?? "0";
  compare.addEventListener("input", () => {
    sessionStorage.setItem(COMPARE_KEY, compare.value);
    showFeed();
    renderReturned();
  });
  byId("record").addEventListener("click", () =>
    attempt(() => post("/record", { on: state.recording.seconds === null }, { timeoutMs: LONG_TIMEOUT_MS })),
  );
  byId("camera").addEventListener("click", toggleCamera);
  byId("full").hidden = !document.fullscreenEnabled; // phones have it for videos alone
  byId("full").addEventListener("click", () => document.querySelector(".frame").requestFullscreen());
  byId("file").addEventListener("change", (event) => {
    takeFile(event.target.files[0]);
    event.target.value = "";
  });
  const keysAct = byId("keys-act");
  keysAct.checked = localStorage.getItem(KEYS_KEY) !== "off";
  keysAct.addEventListener("change", () => localStorage.setItem(KEYS_KEY, keysAct.checked ? "on" : "off"));
  document.addEventListener("keydown", press);
  const drop = byId("drop");
  // The whole page takes the picture: a near miss would make the browser open it instead.
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  for (const end of ["dragleave", "drop"]) document.addEventListener(end, () => drop.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    if (description?.takesPictures) takeFile(event.dataTransfer.files[0]);
  });
}

// Hears of the state while the page is to be seen; a hidden one would only hold a connection.
class Events {
  #source = null;

  start() {
    document.addEventListener("visibilitychange", () => this.#follow());
    this.#follow();
  }

  #follow() {
    if (document.hidden) {
      this.#source?.close();
      this.#source = null;
    } else if (!this.#source) {
      this.#open();
    }
  }

  #open() {
    const source = new EventSource("/events");
    this.#source = source;
    source.addEventListener("open", async () => {
      if (state !== null) state.moment = -Infinity; // of another run, maybe, and another clock
      if (await isAnother()) location.reload();
    });
    source.addEventListener("message", (event) => {
      take(JSON.parse(event.data));
      if (lost) complaint = ""; // of the outage that has ended
      lost = "";
      render();
    });
    source.addEventListener("error", async () => {
      const isClosed = source.readyState === EventSource.CLOSED; // else the browser tries again by itself
      lost = isClosed && (await isShutOut()) ? STARTED_ANEW : LOST;
      render();
      if (!isClosed) return;
      setTimeout(() => {
        if (this.#source !== source) return;
        this.#source = null;
        this.#follow();
      }, RETRY_MS);
    });
  }
}

async function readDescription() {
  return (await fetch("/description")).json();
}

// Whether another run of Stylecast answers now, which may have other styles and another source.
async function isAnother() {
  const found = await readDescription().catch(() => description);
  return description !== null && JSON.stringify(found) !== JSON.stringify(description);
}

async function isShutOut() {
  const response = await fetch("/description").catch(() => null);
  return response?.status === 401;
}

let shownView = null;
function showFeed() {
  const view = compare.value === "0" ? "output" : "both";
  if (view === shownView) return;
  shownView = view;
  feed.start(view);
}

listen();
new Events().start();
showFeed();
description = await readDescription();
build();
render();
