"""What docker-compose.yml needs beside images: secrets, and a user for load."""
