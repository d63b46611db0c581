"""What a fitted model is: a feature space, a consensus of linear models, class profiles and a card.

The state never changes. Adapting or shifting gives a new one; saving writes it, loading gives back the same
numbers, so that a model labels cells alike on every machine.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from orthotype.cells.encode import encoder_from
from orthotype.cells.space import FeatureSpace
from orthotype.errors import ModelFileError
from orthotype.genes.orthologs import OrthologMap
from orthotype.models.consensus import fold_scores
from orthotype.models.profiles import ClassProfiles
from orthotype.models.store import FORMAT_ENTRIES, Arrays, Card, content_hash, read_model, write_model

N_TOP_GENES = 20
# Name and number of dimensions of every array in a model file.
ARRAYS = {
    "coef": 3,
    "intercept": 2,
    "features": 1,
    "feature_share": 1,
    "selected": 1,
    "class_mean": 2,
    "class_variance": 2,
    "class_cells": 1,
    "class_called": 2,
}


@dataclass(frozen=True)
class ModelState:
    """A fitted consensus model with everything that annotation needs.

    Attributes
    ----------
    space
        Features and encoding.
    classes
        Class names, sorted, shape (n_classes,).
    coef, intercept
        Shapes (n_models, n_classes, n_selected) and (n_models, n_classes), float32.
    temperature
        Divides the logits.
    profiles
        Class means and variances of the source.
    called
        Means of what the model calls each class on source cells it has not seen, float32, shape (n_classes,
        n_selected): with them the species shift starts from the model's usual mistakes.
    card
        Plain JSON: what the model is, what it was trained on, how good it is on held-out cells.
    """

    space: FeatureSpace
    classes: NDArray[np.object_]
    coef: NDArray[np.float32]
    intercept: NDArray[np.float32]
    temperature: float
    profiles: ClassProfiles
    called: NDArray[np.float32]
    card: Card

    @property
    def ontology(self) -> NDArray[np.object_]:
        """Cell Ontology id of each class, "" where none is known."""
        ids = self.card.get("class_ontology_term_ids", {})
        return np.array([ids.get(name, "") for name in self.classes], dtype=object)

    @property
    def mean_coef(self) -> NDArray[np.float64]:
        """Weights of the mean model, centred over the classes, shape (n_classes, n_selected)."""
        mean = self.coef.mean(axis=0, dtype=np.float64)
        return np.asarray(mean - mean.mean(axis=0))

    def top_features(self, code: int) -> NDArray[np.intp]:
        """Return positions of the genes that speak most for a class, best first.

        A gene speaks for a class by its weight times the distance of the class mean from the mean over
        classes: the logit that it adds to a typical cell of the class.
        """
        weights = self.mean_coef[code]
        gain = weights * (self.profiles.mean[code] - self.profiles.centre)
        gain = np.where(weights > 0, gain, 0.0)
        best = np.argsort(-gain, kind="stable")[:N_TOP_GENES]
        return np.asarray(best[gain[best] > 0], dtype=np.intp)

    def scores(self, rows: Any, *, intercept: NDArray[np.floating] | None = None) -> NDArray[np.float64]:
        """Return the logits of encoded rows, shape (n, n_models, n_classes)."""
        return fold_scores(rows, coef=self.coef, intercept=self.intercept if intercept is None else intercept)

    def with_card(self, **entries: Any) -> Self:
        """Return the same model with some entries of the card replaced."""
        return replace(self, card={**self.card, **entries})

    def to_arrays(self) -> Arrays:
        """Return every number of the model under the names of :data:`ARRAYS`."""
        return {
            "coef": self.coef,
            "intercept": self.intercept,
            "features": _pack_features(self.space.orthologs),
            "feature_share": self.space.share,
            "selected": self.space.selected,
            "class_mean": self.profiles.mean,
            "class_variance": self.profiles.variance,
            "class_cells": self.profiles.n_cells,
            "class_called": self.called,
        }

    def hash(self) -> str:
        """Return the sha256 that names this model in annotations."""
        return content_hash(self.to_arrays(), self.full_card())

    def full_card(self) -> Card:
        """Return the card with what the reader needs to rebuild the model."""
        orthologs = self.space.orthologs
        return {
            **self.card,
            "kind": "consensus",
            "classes": [str(name) for name in self.classes],
            "temperature": self.temperature,
            "encoder": self.space.encoder.to_dict(),
            "orthologs": {
                "source": orthologs.source,
                "target": orthologs.target,
                "policy": orthologs.policy,
                "release": dict(orthologs.release),
            },
        }

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the model as one safetensors file."""
        write_model(path, arrays=self.to_arrays(), card=self.full_card(), force=force)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a model file.

        Raises
        ------
        ModelFileError
            If the file is damaged, is something else, or does not fit together.
        """
        arrays, card = read_model(path, expected=ARRAYS)
        try:
            state = cls._from_file(arrays, card)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(f"{path} does not fit together ({error}); train it again") from error
        return state

    @classmethod
    def _from_file(cls, arrays: Arrays, card: Card) -> Self:
        if card.get("kind") != "consensus":
            raise ValueError(f"kind {card.get('kind')!r}")
        names, source_members, target_members = _unpack_features(arrays["features"])
        described = card["orthologs"]
        orthologs = OrthologMap.from_members(
            described["source"],
            described["target"],
            names=names,
            source_members=source_members,
            target_members=target_members,
            policy=described["policy"],
            release=described["release"],
        )
        n_selected, n_classes = len(arrays["selected"]), len(card["classes"])
        _check_shapes(arrays, n_features=len(names), n_selected=n_selected, n_classes=n_classes)
        return cls(
            space=FeatureSpace(
                orthologs=orthologs,
                share=arrays["feature_share"],
                selected=arrays["selected"],
                encoder=encoder_from(card["encoder"]),
            ),
            classes=np.array(card["classes"], dtype=object),
            coef=arrays["coef"],
            intercept=arrays["intercept"],
            temperature=float(card["temperature"]),
            profiles=ClassProfiles(
                mean=arrays["class_mean"], variance=arrays["class_variance"], n_cells=arrays["class_cells"]
            ),
            called=arrays["class_called"],
            card={name: entry for name, entry in card.items() if name not in FORMAT_ENTRIES},
        )


def _check_shapes(arrays: Arrays, *, n_features: int, n_selected: int, n_classes: int) -> None:
    n_models = len(arrays["coef"])
    shapes = {
        "coef": (n_models, n_classes, n_selected),
        "intercept": (n_models, n_classes),
        "feature_share": (n_features,),
        "class_mean": (n_classes, n_selected),
        "class_variance": (n_classes, n_selected),
        "class_cells": (n_classes,),
        "class_called": (n_classes, n_selected),
    }
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} has shape {arrays[name].shape}, not {shape}")
    selected = arrays["selected"]
    if n_models == 0 or not np.all(np.diff(selected) > 0) or selected[0] < 0 or selected[-1] >= n_features:
        raise ValueError("selected features are not ascending positions")
    for name in ("coef", "intercept", "class_mean", "class_variance", "class_called"):
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} holds values that are not finite")


def _pack_features(orthologs: OrthologMap) -> NDArray[np.uint8]:
    """Write the features as utf-8 text: a line each, name, source genes and target genes between tabs."""
    lines = [
        f"{name}\t{'|'.join(source)}\t{'|'.join(target)}"
        for name, source, target in zip(
            orthologs.names, orthologs.source_members, orthologs.target_members, strict=True
        )
    ]
    return np.frombuffer("\n".join(lines).encode(), dtype=np.uint8)


def _unpack_features(
    packed: NDArray[np.uint8],
) -> tuple[list[str], list[tuple[str, ...]], list[tuple[str, ...]]]:
    fields = [line.split("\t") for line in packed.tobytes().decode().split("\n")]
    names, source, target = zip(*fields, strict=True)
    return list(names), [tuple(m.split("|")) for m in source], [tuple(m.split("|")) for m in target]
