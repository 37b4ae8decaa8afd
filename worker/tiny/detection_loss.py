"""What a set of predicted boxes and token scores costs, by the matching of DETR and the scores of GroundingDINO."""

from dataclasses import dataclass

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional
from torchvision.ops import box_convert, generalized_box_iou, generalized_box_iou_loss

BOX_WEIGHT, OVERLAP_WEIGHT, CLASS_COST = 5.0, 2.0, 2.0


@dataclass(frozen=True)
class Targets:
    """What one image and its prompt should give.

    boxes: (n, 4), centre, width and height, relative to the image. tokens: (n, t) bool, the prompt's tokens that name
    each object. Only objects that the prompt names are in it. reach: (2,), half a cell of the finest features.
    """

    boxes: Tensor
    tokens: Tensor
    reach: Tensor


def focal(logits: Tensor, truth: Tensor, alpha: float = 0.25) -> Tensor:
    """Focal cross-entropy (Lin et al., 2017), element by element, with gamma 2."""
    probability = logits.sigmoid()
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    surprise = (probability - truth).abs()
    balance = alpha * truth + (1 - alpha) * (1 - truth)
    return balance * surprise**2 * cross_entropy


def box_loss(boxes: Tensor, truth: Tensor) -> Tensor:
    """Weighted L1 and generalised-IoU loss of matched (n, 4) centre-size boxes, summed."""
    overlap = generalized_box_iou_loss(_corners(boxes), _corners(truth), reduction="sum")
    distance = functional.l1_loss(boxes, truth, reduction="sum")
    total: Tensor = BOX_WEIGHT * distance + OVERLAP_WEIGHT * overlap
    return total


def match(logits: Tensor, boxes: Tensor, targets: list[Targets]) -> list[tuple[Tensor, Tensor]]:
    """The cheapest assignment of queries to objects in each image: positions of both.

    logits: (b, q, t), with no infinities; boxes: (b, q, 4).
    """
    with torch.no_grad():
        probability = logits.sigmoid()
        positive = 0.25 * (1 - probability) ** 2 * -(probability + 1e-8).log()
        negative = 0.75 * probability**2 * -(1 - probability + 1e-8).log()
        wanted = torch.cat([target.boxes for target in targets])
        weights = torch.cat([target.tokens for target in targets]).float()
        cost = CLASS_COST * (positive - negative) @ (weights / weights.sum(1, keepdim=True)).T
        flat = boxes.flatten(0, 1)
        place = BOX_WEIGHT * torch.cdist(flat, wanted, p=1)
        place = place - OVERLAP_WEIGHT * generalized_box_iou(_corners(flat), _corners(wanted))
        # Objects of all images are columns; each image looks at its own.
        columns = (cost + place.view_as(cost)).split([len(target.boxes) for target in targets], 2)
        matches = [linear_sum_assignment(block[row].numpy()) for row, block in enumerate(columns)]
    return [(torch.from_numpy(queries), torch.from_numpy(objects)) for queries, objects in matches]


def set_loss(logits: Tensor, boxes: Tensor, valid: Tensor, targets: list[Targets]) -> Tensor:
    """Loss of one decoder layer. logits: (b, q, t); boxes: (b, q, 4); valid: (b, t), the tokens that exist."""
    truth = torch.zeros_like(logits)
    matches = match(logits.masked_fill(~valid[:, None], -20.0), boxes, targets)
    for row, (queries, objects) in enumerate(matches):
        truth[row, queries] = targets[row].tokens[objects].float()
    found = torch.cat([boxes[row, queries] for row, (queries, _) in enumerate(matches)])
    wanted = torch.cat([targets[row].boxes[objects] for row, (_, objects) in enumerate(matches)])
    return (_token_loss(logits, truth, valid) + box_loss(found, wanted)) / max(1, len(wanted))


def _token_loss(logits: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    # The logits of tokens that do not exist are minus infinity.
    mask = valid[:, None].expand_as(logits)
    return 2 * focal(logits[mask], truth[mask]).sum()


def dense_loss(
    logits: Tensor, boxes: Tensor, cells: Tensor, valid: Tensor, targets: list[Targets]
) -> tuple[Tensor, Tensor]:
    """Loss of the encoder's proposals, and which cell shows which object.

    logits: (b, n, t); boxes: (b, n, 4), of cells with centres `cells` (b, n, 2), infinite where there is no image.
    Returned owners: (b, n), -1 for none.
    """
    owners = torch.full(cells.shape[:2], -1)
    truth = torch.zeros_like(logits)
    wanted = []
    for row, target in enumerate(targets):
        if not len(target.boxes):
            continue
        owners[row] = owner_of(cells[row], target.boxes, target.reach)
        mine = owners[row][owners[row] >= 0]
        truth[row, owners[row] >= 0] = target.tokens[mine].float()
        wanted.append(target.boxes[mine])
    positive = owners >= 0
    inside = cells[..., :1].isfinite() & valid[:, None]
    cost = 2 * focal(logits[inside], truth[inside]).sum()
    if wanted:
        cost = cost + box_loss(boxes[positive], torch.cat(wanted))
    return cost / max(1, int(positive.sum())), owners


def owner_of(cells: Tensor, boxes: Tensor, reach: Tensor) -> Tensor:
    """For each of (n, 2) points the smallest of (m, 4) centre-size boxes whose central 60 % holds it, or -1.

    No box's centre is taken as smaller than `reach` to each side, so that small things have a cell too.
    """
    offset = (cells[:, None] - boxes[None, :, :2]).abs()
    inside = (offset <= torch.maximum(0.3 * boxes[None, :, 2:], reach)).all(-1)
    area = torch.where(inside, boxes[:, 2] * boxes[:, 3], torch.inf)
    smallest, owner = area.min(1)
    return torch.where(smallest.isfinite(), owner, -1)


def _corners(boxes: Tensor) -> Tensor:
    corners: Tensor = box_convert(boxes, "cxcywh", "xyxy")
    return corners
