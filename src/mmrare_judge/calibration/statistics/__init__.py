"""calibration/statistics"""
