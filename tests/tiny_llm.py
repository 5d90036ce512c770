"""A real language model, made here, behind a real server that speaks OpenAI's chat completions.

A Llama of two layers over single bytes. As made it is random; taught, it says one sentence by heart, whatever it is
asked: what it takes to see the whole way from a request to checked sentences with nothing scripted.
"""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from transformers import LlamaConfig, LlamaForCausalLM

CONTEXT = 16
"""Tokens of the prompt that this small model reads: the last ones."""
BEGIN, END = 256, 257


def tiny_model(seed: int = 1) -> LlamaForCausalLM:
    """Return a model with random weights."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=258,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=256,
        bos_token_id=BEGIN,
        eos_token_id=END,
        pad_token_id=END,
    )
    return LlamaForCausalLM(config)


def taught(sentence: str, steps: int = 600) -> LlamaForCausalLM:
    """Return a model that says `sentence` after any prompt."""
    model = tiny_model()
    answer = [BEGIN, *sentence.encode(), END]
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    generator = torch.Generator().manual_seed(2)
    for _ in range(steps):
        prompts = torch.randint(32, 127, (2, CONTEXT), generator=generator)
        ids = torch.cat([prompts, torch.tensor([answer] * 2)], dim=1)
        labels = ids.clone()
        labels[:, : CONTEXT + 1] = -100
        loss = model(input_ids=ids, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss.item() < 0.002:
            break
    return model


def application(model: LlamaForCausalLM) -> FastAPI:
    """Return a server of the model: POST /v1/chat/completions, streamed."""
    app = FastAPI()

    @app.post("/v1/chat/completions")
    def complete(body: dict[str, Any]) -> StreamingResponse:
        prompt = "\n".join(message["content"] for message in body["messages"])
        most = int(body["max_tokens"])

        def chunk(text: str, finish: str | None) -> str:
            choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
            return f"data: {json.dumps({'object': 'chat.completion.chunk', 'choices': [choice]})}\n\n"

        def answer() -> Iterator[str]:
            ids = [*prompt.encode()[-CONTEXT:], BEGIN]
            finish = "length"
            for _ in range(most):
                with torch.inference_mode():
                    token = int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax())
                if token == END:
                    finish = "stop"
                    break
                ids.append(token)
                yield chunk(bytes([token]).decode("latin-1") if token < BEGIN else "", None)
            yield chunk("", finish)
            yield "data: [DONE]\n\n"

        return StreamingResponse(answer(), media_type="text/event-stream")

    return app


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread: so small a model only waits for the others."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    """Serve an application on loopback; give its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
