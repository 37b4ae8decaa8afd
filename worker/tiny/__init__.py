"""The bundled tiny checkpoints, and the scripts that compose scenes, train them and measure them."""
