"""Ask macOS for the camera, in the main thread: OpenCV asks in the one that opens it, where no answer arrives."""

import os
import sys
import threading
import time

# Who looks elsewhere finds the question again when the camera is used next.
_ANSWER_MAX_S = 120.0
_NOT_DETERMINED = 0


def ask_for_camera() -> None:
    """Wait for the user's answer, where there is none yet; what it was shows when the camera is opened."""
    if sys.platform != "darwin":
        return
    try:
        import AVFoundation  # of pyobjc, which cv2-enumerate-cameras brings
    except ImportError:
        return
    os.environ.setdefault("OPENCV_AVFOUNDATION_SKIP_AUTH", "1")  # it would ask again
    cameras, video = AVFoundation.AVCaptureDevice, AVFoundation.AVMediaTypeVideo
    if cameras.authorizationStatusForMediaType_(video) != _NOT_DETERMINED:
        return
    answered = threading.Event()
    cameras.requestAccessForMediaType_completionHandler_(video, lambda granted: answered.set())
    end_s = time.perf_counter() + _ANSWER_MAX_S
    while not answered.is_set() and time.perf_counter() < end_s:
        # The question is shown, and answered, by the run loop of this thread.
        step = AVFoundation.NSDate.dateWithTimeIntervalSinceNow_(0.1)
        AVFoundation.NSRunLoop.currentRunLoop().runUntilDate_(step)
