"""Hugging Face's Trainer with a budget in place of `gradient_checkpointing_enable()`."""

import argparse
import tempfile

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments, logging, set_seed

import retrograde as rg

LENGTH = 128
logging.disable_progress_bar()


def windows(count: int = 64) -> list[dict[str, torch.Tensor]]:
    """Text to learn from: a module of Python's standard library, byte by byte."""
    with open(argparse.__file__, "rb") as file:
        text = torch.tensor(list(file.read(count * LENGTH)))
    return [{"input_ids": window, "labels": window} for window in text.view(count, LENGTH)]


def model() -> LlamaForCausalLM:
    set_seed(0)
    sizes = {"num_hidden_layers": 4, "hidden_size": 64, "intermediate_size": 160, "num_attention_heads": 4}
    return LlamaForCausalLM(LlamaConfig(vocab_size=256, attention_dropout=0.1, use_cache=False, **sizes))


class MeasuredTrainer(Trainer):
    """A Trainer that measures the peak of every step; yours needs no such thing."""

    def training_step(self, *args, **kwargs) -> torch.Tensor:
        losses = []
        measured = rg.torch.measure(lambda: losses.append(super(MeasuredTrainer, self).training_step(*args, **kwargs)))
        self.peaks = [*getattr(self, "peaks", []), measured.peak_bytes]
        return losses[0]


def train(module: LlamaForCausalLM) -> tuple[list[float], list[int]]:
    """Losses and peaks of four steps."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"max_steps": 4, "per_device_train_batch_size": 8, "logging_steps": 1, "use_cpu": True}
        quiet = {"report_to": "none", "disable_tqdm": True, "save_strategy": "no", "dataloader_pin_memory": False}
        trainer = MeasuredTrainer(module, TrainingArguments(folder, **settings, **quiet), train_dataset=windows())
        trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry], trainer.peaks


def main() -> None:
    plain_losses, plain_peaks = train(model())
    budgeted = rg.torch.budgeted(model(), "50%")
    losses, peaks = train(budgeted)
    (plan,) = rg.torch.plans(budgeted)
    print(f"budget {plan.budget_bytes:,} bytes; peak of a step {max(peaks):,}, without a budget {max(plain_peaks):,}")
    print(f"losses equal: {losses == plain_losses}")


if __name__ == "__main__":
    main()
