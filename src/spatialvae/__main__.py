"""`python -m spatialvae` is the program `spatialvae`."""

from spatialvae.cli import main

if __name__ == "__main__":
    main()
