// The page for a browser source of OBS: the picture and nothing else.
import { Feed, drawFrame } from "./feed.js";

const canvas = document.getElementById("picture");
new Feed((frame) => drawFrame(canvas, frame, 0)).start("output");
