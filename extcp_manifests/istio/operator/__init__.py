"""IstioOperators: composing, overlays, profiles and the values of charts."""
