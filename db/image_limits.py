"""How large a picture may be: asked of its header at the door, and again of what a worker fetched."""

from dataclasses import dataclass

from db.errors import ImageOutOfShape, ImageTooLarge


@dataclass(frozen=True)
class ImageLimits:
    """The largest picture that is taken, sides in pixels."""

    pixels: int = 64_000_000
    side: int = 16_384
    aspect: float = 64
    """The longer side over the shorter one."""
    frames: int = 1000
    """Of an animation."""
    file_bytes: int = 32 * 1024 * 1024

    def check(self, width: int, height: int) -> None:
        """Raise `ImageTooLarge` or `ImageOutOfShape`, which say the size and the limit."""
        if width * height > self.pixels:
            raise ImageTooLarge(width, height, self.pixels)
        longer, shorter = max(width, height), max(1, min(width, height))
        if longer > self.side:
            raise ImageOutOfShape(f"is {longer} pixels long", f"{self.side} pixels a side")
        if longer > self.aspect * shorter:
            shape = f"{longer / shorter:.0f} times as long as it is wide"
            raise ImageOutOfShape(f"is {shape}", f"{self.aspect:g} times")
