// This browser's camera by WebRTC: its picture goes to the server, the stylised one comes back.

// What the server encodes and decodes in software beside the network.
const PICTURE = { width: { ideal: 640 }, height: { ideal: 360 }, frameRate: { ideal: 30 } };
// A network that stumbles comes back within seconds.
const DISCONNECTED_MS = 8000;
const REASONS = {
  NotAllowedError: "The browser was not allowed to use the camera. Allow it in the address bar and try again.",
  NotFoundError: "The browser finds no camera.",
  NotReadableError: "The camera is in use by another program.",
};

export class BrowserCamera {
  #connection = null;
  #stream = null;

  // Connect, and hand the stylised stream to `show`. `offer` sends an offer and returns the answer; `ended` is called
  // when the connection breaks or the camera goes. Throws an Error whose message can be shown.
  async start({ offer, show, ended }) {
    if (!navigator.mediaDevices) {
      throw new Error("Browsers give their camera only to pages from this machine or by HTTPS (--tls-certificate).");
    }
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({ video: PICTURE, audio: false });
    } catch (error) {
      throw new Error(REASONS[error.name] ?? `The camera cannot be used: ${error.message}`);
    }
    const connection = new RTCPeerConnection();
    this.#connection = connection;
    connection.ontrack = ({ track, receiver }) => {
      if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0; // the newest picture, not the smoothest
      show(new MediaStream([track]));
    };
    const end = () => {
      if (this.#connection === connection) ended();
    };
    connection.onconnectionstatechange = () => {
      const isDisconnected = () => connection.connectionState === "disconnected";
      if (isDisconnected()) setTimeout(() => isDisconnected() && end(), DISCONNECTED_MS);
      else if (["failed", "closed"].includes(connection.connectionState)) end();
    };
    for (const track of this.#stream.getTracks()) {
      track.addEventListener("ended", end); // the camera was unplugged, or forbidden meanwhile
      connection.addTrack(track, this.#stream);
    }
    try {
      await connection.setLocalDescription();
      await connection.setRemoteDescription({ type: "answer", sdp: await offer(connection.localDescription.sdp) });
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  stop() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#connection?.close();
    this.#stream = this.#connection = null;
  }
}
