"""The training loop, on one screen.

Per step: gather, noise, predict, loss, backward, step. Whatever else a run does (logging, saving, sampling,
obeying) happens in `after`, which decides for itself how seldom it looks at a number: reading one from a GPU
waits for all the work queued before it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from loratui.engine.noise import generator
from loratui.engine.optimizer import rate_factor, set_rate
from loratui.engine.task import Task

After = Callable[[int, torch.Tensor, float], str | None]


def train(task: Task, start: int, after: After) -> str:
    """Train from 0-based step `start` to the plan's end; returns why it ended: "finished", or what `after` said.

    `after(done, loss, rate)` is called with the number of steps done, the step's loss on the device and the rate.
    """
    accelerator, optimizer, settings = task.accelerator, task.optimizer, task.settings.train
    trained = [vector for group in optimizer.param_groups for vector in group["params"]]
    dropout = task.settings.lora.dropout > 0
    for model in task.models.values():
        model.train(dropout or settings.gradient_checkpointing)
    for step in range(start, task.plan.total_steps):
        factor = rate_factor(step, task.plan.total_steps, settings.schedule, settings.warmup_steps)
        rate = set_rate(optimizer, factor)
        if dropout:  # the one thing that draws from the global generator: tie it to the step
            torch.manual_seed(generator("dropout", settings.seed, step, accelerator.process_index).initial_seed())
        loss = torch.zeros((), device=task.family.device)
        for batch in task.batches(step):
            part = task.loss(batch) * batch.share
            accelerator.backward(part)
            loss += part.detach()
        if accelerator.num_processes > 1:  # LoRA's gradients are small: one sum a step needs no wrapper
            for vector in trained:
                vector.grad.copy_(accelerator.reduce(vector.grad, "sum"))
        if settings.max_grad_norm:
            accelerator.clip_grad_norm_(trained, settings.max_grad_norm)
        optimizer.step()
        for vector in trained:
            vector.grad.zero_()
        if reason := after(step + 1, loss, rate):
            return reason
    return "finished"
