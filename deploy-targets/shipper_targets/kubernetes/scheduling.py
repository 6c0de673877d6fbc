"""The scheduler's words about a pod without a place: without what it says of preemption, and what is to be done. Pure.

The words are those of kube-scheduler 1.34: `0/4 nodes are available: REASONS. ` and then what came of making room.
"""

from __future__ import annotations

import re

from shipper_targets.kubernetes.values import Object, objects, text

NO_ROOM = "free room, add nodes, or ask for less: [run] cpu, memory, gpu and [scale] min"
_SLOW = "one whose volume is made slowly may need longer: unschedulable_window"
_AFTERWARDS = re.compile(r"(?<=\.)\s+(?:no new claims to deallocate|preemption: |not found\.?$).*", re.DOTALL)
_OF_CLAIMS = re.compile(r"persistent ?volume|volume node affinity|\bpvc", re.IGNORECASE)
_OF_ROOM = re.compile(r"\binsufficient\b|too many pods", re.IGNORECASE)


def scheduler_words(said: str) -> str:
    """Why no node takes the pod; not what came of making room on one, which is about other pods."""
    return _AFTERWARDS.sub("", said.strip())


def what_to_do(pod: Object, said: str) -> str:
    """With the scheduler's words that something stands for it: a claim without a volume needs no room."""
    if not _OF_CLAIMS.search(said):
        return NO_ROOM
    claims = [text(volume, "persistentVolumeClaim", "claimName") for volume in objects(pod, "spec", "volumes")]
    names = " ".join(dict.fromkeys(name for name in claims if name))
    namespace = text(pod, "metadata", "namespace")
    command = " ".join(["kubectl describe pvc", *([names] if names else []), *(["-n", namespace] if namespace else [])])
    told = f"{command} says which claim is Pending, since when, and of which storage class; {_SLOW}"
    return f"{told}; {NO_ROOM}" if _OF_ROOM.search(said) else told
