"""calibration/analyses"""
