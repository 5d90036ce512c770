// The editor: a preview as one writes, keys that save and publish, a warning before what is not saved is left.
// Without this module the form works as it is.
const PAUSE = 400; // milliseconds of silence before a preview is asked for

class Editor {
  constructor(form) {
    this.form = form;
    this.preview = document.querySelector("#preview");
    this.unsaved = document.querySelector("#unsaved");
    this.changed = "changed" in form.dataset;
    // Fields of the form stand beside it, too: what happens in them does not pass through it.
    document.addEventListener("input", (event) => event.target.form === form && this.typed(event));
    document.addEventListener("compositionend", (event) => event.target.form === form && this.later());
    form.addEventListener("submit", () => {
      this.changed = false;
    });
    for (const button of document.querySelectorAll("[data-piece]")) {
      button.addEventListener("click", (event) => {
        event.preventDefault();
        this.piece(button);
      });
    }
    document.addEventListener("keydown", (event) => this.pressed(event));
    addEventListener("beforeunload", (event) => {
      if (this.changed) event.preventDefault();
    });
  }

  typed(event) {
    this.changed = true;
    this.unsaved.textContent = this.form.dataset.unsaved;
    if (!event.isComposing) this.later();
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.show(), PAUSE);
  }

  async show() {
    this.asking?.abort();
    this.asking = new AbortController();
    try {
      const response = await fetch(this.form.dataset.preview, {
        method: "POST",
        body: new URLSearchParams(new FormData(this.form)),
        signal: this.asking.signal,
        headers: { Accept: "text/html" },
      });
      if (response.ok) this.preview.innerHTML = await response.text();
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    }
  }

  // What the server has to say of the text, beside it.
  async piece(button) {
    const place = document.querySelector(`#${button.dataset.piece}`);
    button.disabled = true;
    try {
      const response = await fetch(button.formAction, {
        method: "POST",
        body: new URLSearchParams(new FormData(this.form)),
        headers: { Accept: "text/html", "X-Piece": "1" },
      });
      if (response.ok) place.innerHTML = await response.text();
      else place.textContent = `${response.status}`;
    } finally {
      button.disabled = false;
      button.focus();
    }
  }

  pressed(event) {
    if (!(event.ctrlKey || event.metaKey) || event.isComposing) return;
    const action = event.key === "s" ? "save" : event.key === "Enter" ? "publish" : null;
    const button = action && document.querySelector(`button[form=editor][value=${action}]`);
    if (!button) return;
    event.preventDefault();
    this.form.requestSubmit(button);
  }
}

const form = document.querySelector("#editor");
if (form) new Editor(form);
