// What is typed is kept as a draft after a pause, for its writer alone; who else is writing is told.
const PAUSE = 1500; // milliseconds of silence
const TEXTS = ["title", "issue", "environment", "resolution", "cause", "body", "lang", "kind", "audience", "confidence"];
const LISTS = ["products", "versions", "topics", "groups"];

class Keeper {
  constructor(form, place) {
    this.form = form;
    this.place = place;
    this.version = Number(place.dataset.version);
    this.time = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: "short" });
    document.addEventListener("input", (event) => event.target.form === form && !event.isComposing && this.later());
    document.addEventListener("compositionend", (event) => event.target.form === form && this.later());
    document.addEventListener("compositionstart", () => clearTimeout(this.timer));
    form.addEventListener("submit", () => {
      this.left = true;
      clearTimeout(this.timer);
    });
  }

  later() {
    if ("waits" in this.place.dataset) return this.say(this.place.dataset.waiting);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.keep(), PAUSE);
  }

  // One at a time: each goes on from the version that the one before it made.
  async keep() {
    if (this.left || this.keeping) return this.left || this.later();
    this.keeping = true;
    try {
      const response = await fetch(this.place.dataset.keep, {
        method: "PUT",
        body: JSON.stringify(this.typed()),
        headers: { "Content-Type": "application/json", "X-CSRF-Token": this.form.elements.csrf.value },
      });
      if (!response.ok) return this.say(response.status === 409 ? this.place.dataset.elsewhere : this.place.dataset.failed);
      const kept = await response.json();
      this.version = kept.version;
      this.say(this.place.dataset.kept.replace("{time}", this.time.format(new Date(kept.saved_at))));
      this.others(kept.editing);
    } catch {
      this.say(this.place.dataset.failed);
    } finally {
      this.keeping = false;
    }
  }

  typed() {
    const given = new FormData(this.form);
    const body = { based_on: Number(given.get("based_on")), version: this.version };
    for (const name of TEXTS) body[name] = given.get(name);
    for (const name of LISTS) body[name] = given.get(name).split(/[,，、]/).map((one) => one.trim()).filter(Boolean);
    body.similar_questions = given.get("similar").split(/\r?\n/).filter((line) => line.trim());
    for (const name of ["owner", "family"]) body[name] = given.get(name).trim() || null;
    return body;
  }

  others(editing) {
    const who = editing.map((one) => one.name).join(this.place.dataset.separator);
    const shown = who && this.place.dataset.too.replace("{who}", () => who);
    const place = this.place.querySelector("#others");
    if (place.textContent !== shown) place.textContent = shown;
  }

  say(words) {
    this.place.querySelector("#kept").textContent = words;
  }
}

const form = document.querySelector("#editor");
const place = document.querySelector("#draft");
if (form && place) new Keeper(form, place);
