// The page for a browser source of OBS: the picture and nothing else.
import { Feed, drawFrame } from "./feed.js";

const canvas = document.getElementById("picture");
// A last picture must not stand in a stream, nor flash up when a scene comes back.
const clear = () => canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
new Feed((frame) => drawFrame(canvas, frame, 0), clear).start("output");
