"""What is sent to devices: firmware modules, assets, signed bundles of applications."""
