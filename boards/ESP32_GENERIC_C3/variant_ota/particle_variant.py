"""What the variant OTA changes of the profile."""

OTA = "esp32-ab"
