// Reads the MJPEG feed part by part and hands over the newest picture; older ones that wait are dropped undecoded.

const RETRY_MS = 1000;

export class Feed {
  #show;
  #ended;
  #abort = null;
  #view = null;
  #newest = null;
  #isDecoding = false;

  // `show` gets {bitmap, inputWidth}: the left `inputWidth` columns are the input, 0 without it. `ended` is called when
  // no picture comes any more, and when nobody looks.
  constructor(show, ended = () => {}) {
    this.#show = show;
    this.#ended = ended;
    // Nobody looks at a hidden page; the connection would cost encoding for nothing.
    document.addEventListener("visibilitychange", () => {
      if (this.#view === null) return;
      if (document.hidden) {
        this.#abort?.abort();
        this.#ended();
      } else this.start(this.#view);
    });
  }

  start(view) {
    this.#abort?.abort();
    this.#abort = new AbortController();
    this.#view = view;
    if (!document.hidden) this.#run(view, this.#abort.signal);
  }

  async #run(view, signal) {
    while (!signal.aborted) {
      try {
        const response = await fetch(`/feed.mjpg?view=${view}`, { signal });
        if (response.ok) {
          for await (const part of readParts(response.body.getReader())) this.#take(part, signal);
        }
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof TypeError)) throw error; // the network failed; anything else is a fault of ours
      }
      this.#ended();
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  async #take(part, signal) {
    this.#newest = part;
    if (this.#isDecoding) return;
    this.#isDecoding = true;
    try {
      while (this.#newest && !signal.aborted) {
        const { jpeg, inputWidth } = this.#newest;
        this.#newest = null;
        const bitmap = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
        if (!signal.aborted) this.#show({ bitmap, inputWidth });
        bitmap.close();
      }
    } finally {
      this.#isDecoding = false;
    }
  }
}

// Draw the output, and left of `share` (0 to 1) of its width the input where the frame has it.
export function drawFrame(canvas, { bitmap, inputWidth }, share) {
  const width = bitmap.width - inputWidth;
  const height = bitmap.height;
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, inputWidth, 0, width, height, 0, 0, width, height);
  if (!inputWidth || share <= 0) return;
  const edge = Math.round(inputWidth * share);
  if (edge > 0) context.drawImage(bitmap, 0, 0, edge, height, 0, 0, edge, height);
  context.fillStyle = "#fff";
  context.fillRect(edge - 1, 0, 2, height);
}

async function* readParts(reader) {
  const decoder = new TextDecoder("latin1");
  let buffer = new Uint8Array(0);
  const fill = async () => {
    const { done, value } = await reader.read();
    if (done) return false;
    const joined = new Uint8Array(buffer.length + value.length);
    joined.set(buffer);
    joined.set(value, buffer.length);
    buffer = joined;
    return true;
  };
  for (;;) {
    let end;
    while ((end = headEnd(buffer)) < 0) if (!(await fill())) return;
    const head = decoder.decode(buffer.subarray(0, end));
    const size = Number(/content-length: (\d+)/i.exec(head)[1]);
    const inputWidth = Number(/x-input-width: (\d+)/i.exec(head)[1]);
    while (buffer.length < end + size) if (!(await fill())) return;
    yield { jpeg: buffer.slice(end, end + size), inputWidth };
    buffer = buffer.subarray(end + size);
  }
}

// Where the picture begins, behind the empty line; -1 while that has not come.
function headEnd(buffer) {
  for (let at = 3; at < buffer.length; at++) {
    if (buffer[at] === 10 && buffer[at - 1] === 13 && buffer[at - 2] === 10 && buffer[at - 3] === 13) return at + 1;
  }
  return -1;
}
