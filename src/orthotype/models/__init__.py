"""How a row becomes a label: linear models, consensus, calibration, species shift, model file."""
