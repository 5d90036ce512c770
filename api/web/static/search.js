// Instant results. Without this module the form works as it is.
const PAUSE = 120; // milliseconds of silence before asking

class Instant {
  constructor(form) {
    this.form = form;
    this.input = form.querySelector("input[type=search]");
    this.panel = form.querySelector(".instant");
    this.status = form.querySelector("[role=status]");
    this.current = -1;
    this.input.setAttribute("role", "combobox");
    this.input.setAttribute("aria-autocomplete", "list");
    this.input.setAttribute("aria-expanded", "false");
    this.input.setAttribute("aria-controls", "instant-list");
    this.input.addEventListener("input", (event) => this.typed(event));
    this.input.addEventListener("compositionend", () => this.later());
    this.input.addEventListener("keydown", (event) => this.pressed(event));
    this.input.addEventListener("blur", () => setTimeout(() => this.close(), 150));
    form.addEventListener("submit", () => this.stop());
    this.panel.addEventListener("mousedown", (event) => {
      const option = event.target.closest("[role=option]");
      if (option && event.button === 0) {
        event.preventDefault();
        location.assign(option.dataset.href);
      }
    });
  }

  typed(event) {
    // While an input method composes, what stands in the box is not what the person means.
    if (!event.isComposing) this.later();
  }

  later() {
    this.stop();
    this.timer = setTimeout(() => this.ask(), PAUSE);
  }

  stop() {
    clearTimeout(this.timer);
    this.asking?.abort();
  }

  async ask() {
    const question = this.input.value.trim();
    if (!question) return this.close();
    this.asking = new AbortController();
    const address = new URL(this.form.dataset.instant, location.href);
    address.searchParams.set("q", question.slice(0, 500));
    address.searchParams.set("hl", document.documentElement.lang.slice(0, 2));
    try {
      const response = await fetch(address, { signal: this.asking.signal, headers: { Accept: "text/html" } });
      if (!response.ok) return this.close();
      const html = await response.text();
      if (this.input.value.trim() === question && document.activeElement === this.input) this.show(html);
    } catch (error) {
      if (error.name !== "AbortError") this.close();
    }
  }

  show(html) {
    this.panel.innerHTML = html; // made and escaped by the server
    this.options = [...this.panel.querySelectorAll("[role=option]")];
    this.current = -1;
    this.input.removeAttribute("aria-activedescendant");
    const any = this.options.length > 0;
    this.panel.hidden = !any;
    this.input.setAttribute("aria-expanded", String(any));
    const { count, none } = this.form.dataset;
    this.status.textContent = any ? count.replace("{count}", this.options.length) : none;
  }

  close() {
    this.panel.hidden = true;
    this.current = -1;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  pressed(event) {
    if (event.isComposing) return;
    const open = !this.panel.hidden;
    if (event.key === "Escape" && open) {
      event.preventDefault();
      this.stop();
      this.close();
    } else if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      const count = this.options.length + 1; // one place is the box itself
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.select(((this.current + 1 + step + count) % count) - 1);
    } else if (open && event.key === "Enter" && this.current >= 0) {
      event.preventDefault();
      location.assign(this.options[this.current].dataset.href);
    }
  }

  select(place) {
    this.current = place;
    this.options.forEach((option, at) => option.setAttribute("aria-selected", String(at === place)));
    if (place < 0) return this.input.removeAttribute("aria-activedescendant");
    this.input.setAttribute("aria-activedescendant", this.options[place].id);
    this.options[place].scrollIntoView({ block: "nearest" });
  }
}

const form = document.querySelector("form.search");
if (form) new Instant(form);

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey && form) {
    event.preventDefault();
    form.querySelector("input[type=search]").select();
  }
});

// The address keeps the question; where a click came from has been noted and need not stay in it.
const address = new URL(location.href);
if (address.searchParams.has("from") || address.searchParams.has("rank")) {
  address.searchParams.delete("from");
  address.searchParams.delete("rank");
  history.replaceState(null, "", address);
}
