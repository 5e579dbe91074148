"""Child processes of the local platform: started, recorded, found again and stopped without guessing."""
