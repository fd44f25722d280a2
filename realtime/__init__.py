"""Stylecast's runtime: video in, stylised video out, on numpy, OpenCV, PyAV and an inference engine; never torch.

Importing the package does no work; import what you need from its modules: `video_job.stylize_video` is the main job,
`catalogue` the styles, `settings` every option. The order of the layers is drawn in ARCHITECTURE.md and held by a test.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
