"""Models that people train, of moderate size, with random weights and inputs from fixed seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from models import SEED, ResNet
from torch import nn
from torch.utils.checkpoint import checkpoint

Inputs = dict[str, Any]


@dataclass(frozen=True)
class LibraryCase:
    """A model to measure.

    Attributes:
        title: for people.
        make_module: makes the module, told the probability of dropout; it returns its loss alone.
        make_inputs: makes its keyword arguments.
        switch_on_checkpointing: its own way to save memory, as its library has it.
    """

    title: str
    make_module: Callable[[float], nn.Module]
    make_inputs: Callable[[], Inputs]
    switch_on_checkpointing: Callable[[Any], None]

    def module(self, dropout: float) -> nn.Module:
        """The module in training mode, with the same weights each time."""
        torch.manual_seed(SEED)
        return self.make_module(dropout).train()

    def inputs(self) -> Inputs:
        """Its arguments, the same each time."""
        torch.manual_seed(SEED + 1)
        return self.make_inputs()


class LossOnly(nn.Module):
    """A model that returns its loss among other things, cut down to the loss."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, **inputs: Any) -> torch.Tensor:
        return self.model(**inputs).loss


class Denoising(nn.Module):
    """A diffusion model with its loss."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, noise: torch.Tensor, **inputs: Any) -> torch.Tensor:
        return F.mse_loss(self.model(**inputs).sample, noise)


class RecurrentLanguageModel(nn.Module):
    """Layers of LSTM cells over a sequence, one step after another, and a cross-entropy loss."""

    def __init__(self, vocabulary: int, width: int, layers: int, dropout: float, stretch: int = 8) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.cells = nn.ModuleList(nn.LSTMCell(width, width) for _ in range(layers))
        self.dropout, self.head = nn.Dropout(dropout), nn.Linear(width, vocabulary)
        self.stretch = stretch
        self.checkpoints_stretches = False

    def forward(self, tokens: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        x = self.dropout(self.tokens(tokens))
        zero = x.new_zeros(x.shape[0], x.shape[2])
        state, results = (zero,) * (2 * len(self.cells)), []
        for part in x.split(self.stretch, 1):
            if self.checkpoints_stretches:
                result, *state = checkpoint(self._run, part, *state, use_reentrant=False)
            else:
                result, *state = self._run(part, *state)
            results.append(result)
        return F.cross_entropy(self.head(torch.cat(results, 1)).flatten(0, 1), targets.flatten())

    def _run(self, x: torch.Tensor, *state: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """A stretch of time steps; ``state`` is each layer's output and memory."""
        state, results = list(state), []
        for step in range(x.shape[1]):
            y = x[:, step]
            for layer, cell in enumerate(self.cells):
                state[2 * layer : 2 * layer + 2] = cell(y, tuple(state[2 * layer : 2 * layer + 2]))
                y = self.dropout(state[2 * layer])
            results.append(y)
        return torch.stack(results, 1), *state


def _gpt2(dropout: float) -> nn.Module:
    from transformers import GPT2Config, GPT2LMHeadModel

    sizes = {"n_layer": 12, "n_embd": 192, "n_head": 6, "vocab_size": 4096, "n_positions": 256}
    tokens = {"bos_token_id": 0, "eos_token_id": 0}
    rates = {"resid_pdrop": dropout, "embd_pdrop": dropout, "attn_pdrop": dropout}
    model = GPT2LMHeadModel(GPT2Config(**sizes, **tokens, **rates, use_cache=False))
    # Otherwise it warns of its loss in a log message, which PyTorch does not trace.
    model.loss_type = "ForCausalLM"
    return LossOnly(model)


def _llama(dropout: float) -> nn.Module:
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"num_hidden_layers": 8, "hidden_size": 192, "intermediate_size": 512, "num_attention_heads": 6}
    config = LlamaConfig(vocab_size=4096, num_key_value_heads=2, attention_dropout=dropout, use_cache=False, **sizes)
    return LossOnly(LlamaForCausalLM(config))


def _bert(dropout: float) -> nn.Module:
    from transformers import BertConfig, BertForMaskedLM

    sizes = {"num_hidden_layers": 8, "hidden_size": 192, "intermediate_size": 768, "num_attention_heads": 6}
    rates = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    return LossOnly(BertForMaskedLM(BertConfig(vocab_size=4096, **sizes, **rates)))


def _vit(dropout: float) -> nn.Module:
    from transformers import ViTConfig, ViTForImageClassification

    sizes = {"num_hidden_layers": 8, "hidden_size": 192, "intermediate_size": 768, "num_attention_heads": 6}
    rates = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    # The model writes its problem type into its configuration otherwise, and is captured again for that.
    problem = {"num_labels": 64, "problem_type": "single_label_classification"}
    return LossOnly(ViTForImageClassification(ViTConfig(image_size=96, patch_size=8, **sizes, **rates, **problem)))


def _whisper(dropout: float) -> nn.Module:
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    sides = {f"{side}_{what}": n for side in ("encoder", "decoder") for what, n in _WHISPER_SIDE.items()}
    tokens = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    lengths = {"max_source_positions": 256, "max_target_positions": 64}
    sizes = {"vocab_size": 4096, "num_mel_bins": 80, "d_model": 192}
    config = WhisperConfig(
        dropout=dropout, attention_dropout=dropout, use_cache=False, **sizes, **sides, **tokens, **lengths
    )
    return LossOnly(WhisperForConditionalGeneration(config))


_WHISPER_SIDE = {"layers": 4, "attention_heads": 6, "ffn_dim": 768}


def _mixtral(dropout: float) -> nn.Module:
    from transformers import MixtralConfig, MixtralForCausalLM

    sizes = {"num_hidden_layers": 4, "hidden_size": 128, "intermediate_size": 256, "num_attention_heads": 4}
    experts = {"num_local_experts": 8, "num_experts_per_tok": 2, "num_key_value_heads": 2}
    config = MixtralConfig(vocab_size=4096, attention_dropout=dropout, use_cache=False, **sizes, **experts)
    return LossOnly(MixtralForCausalLM(config))


def _unet(dropout: float) -> nn.Module:
    from diffusers import UNet2DConditionModel

    blocks = {
        "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    }
    sizes = {"block_out_channels": (32, 64, 128), "layers_per_block": 1, "cross_attention_dim": 64}
    model = UNet2DConditionModel(
        sample_size=32,
        in_channels=4,
        out_channels=4,
        attention_head_dim=8,
        norm_num_groups=8,
        dropout=dropout,
        **sizes,
        **blocks,
    )
    return Denoising(model)


def _resnet50(_: float) -> nn.Module:
    return ResNet(16, 64)


def _lstm(dropout: float) -> nn.Module:
    return RecurrentLanguageModel(256, 192, 2, dropout)


def _tokens(rows: int, length: int, names: tuple[str, str] = ("input_ids", "labels"), size: int = 4096) -> Inputs:
    tokens = torch.randint(3, size, (rows, length))
    return {name: tokens for name in names}


def _next_tokens() -> Inputs:
    tokens = torch.randint(256, (32, 65))
    return {"tokens": tokens[:, :-1].contiguous(), "targets": tokens[:, 1:].contiguous()}


def _images(rows: int, size: int, names: tuple[str, str]) -> Inputs:
    return {names[0]: torch.randn(rows, 3, size, size), names[1]: torch.randint(64, (rows,))}


def _speech() -> Inputs:
    return {"input_features": torch.randn(2, 80, 512), "labels": torch.randint(3, 4096, (2, 64))}


def _latents() -> Inputs:
    noise = torch.randn(4, 4, 32, 32)
    words = torch.randn(4, 16, 64)
    return {"noise": noise, "sample": noise + 1, "timestep": torch.arange(4), "encoder_hidden_states": words}


def _transformers_checkpointing(module: Any) -> None:
    module.model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


def _diffusers_checkpointing(module: Any) -> None:
    module.model.enable_gradient_checkpointing()


def _block_checkpointing(module: Any) -> None:
    module.checkpoints_blocks = True


def _stretch_checkpointing(module: Any) -> None:
    module.checkpoints_stretches = True


LIBRARY_CASES = {
    "gpt2": LibraryCase(
        "GPT-2, 12 layers, width 192, batch 2 × 256", _gpt2, lambda: _tokens(2, 256), _transformers_checkpointing
    ),
    "llama": LibraryCase(
        "Llama, 8 layers, width 192, batch 2 × 256", _llama, lambda: _tokens(2, 256), _transformers_checkpointing
    ),
    "bert": LibraryCase(
        "BERT, 8 layers, width 192, batch 4 × 128", _bert, lambda: _tokens(4, 128), _transformers_checkpointing
    ),
    "vit": LibraryCase(
        "ViT, 8 layers, width 192, batch 4 × 3 × 96 × 96",
        _vit,
        lambda: _images(4, 96, ("pixel_values", "labels")),
        _transformers_checkpointing,
    ),
    "whisper": LibraryCase(
        "Whisper, 4 + 4 layers, width 192, batch 2 × 512 frames", _whisper, _speech, _transformers_checkpointing
    ),
    "mixtral": LibraryCase(
        "Mixtral, 4 layers of 8 experts, width 128, batch 8 × 128",
        _mixtral,
        lambda: _tokens(8, 128),
        _transformers_checkpointing,
    ),
    "unet": LibraryCase(
        "UNet2DConditionModel, 32 to 128 channels, batch 4 × 4 × 32 × 32", _unet, _latents, _diffusers_checkpointing
    ),
    "resnet50": LibraryCase(
        "ResNet-50, width 16, batch 16 × 3 × 112 × 112",
        _resnet50,
        lambda: _images(16, 112, ("x", "targets")),
        _block_checkpointing,
    ),
    "lstm": LibraryCase(
        "LSTM language model, 2 layers, width 192, batch 32 × 64", _lstm, _next_tokens, _stretch_checkpointing
    ),
}
