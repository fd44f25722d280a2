"""Turn a trained checkpoint into a verified ONNX file with a card in `weights/`.

The only package that knows both worlds: training's networks and realtime's engines and catalogue.
"""
