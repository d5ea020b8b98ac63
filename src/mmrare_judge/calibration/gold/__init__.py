"""calibration/gold"""
