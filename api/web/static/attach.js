// Files dropped on a text, pasted into it or chosen beside it: sent, then used where the caret is.
// Without this module the form beside the text answers with the Markdown to paste.
class Attaching {
  constructor(editor, form) {
    this.csrf = editor.querySelector("[name=csrf]")?.value ?? "";
    this.told = document.querySelector("#attached");
    this.texts = [...editor.querySelectorAll(".writing textarea:not([name=similar])")];
    // Somebody may have begun to write before this module came.
    this.place = this.texts.find((text) => text === document.activeElement) ?? this.texts.at(-1);
    for (const text of this.texts) {
      text.addEventListener("focus", () => {
        this.place = text;
      });
      text.addEventListener("dragover", (event) => {
        if (event.dataTransfer.types.includes("Files")) event.preventDefault();
      });
      text.addEventListener("drop", (event) => this.given(event, event.dataTransfer));
      text.addEventListener("paste", (event) => {
        // What is copied from a document is text with a picture of it: the text is meant.
        if (!event.clipboardData.types.includes("text/plain")) this.given(event, event.clipboardData);
      });
    }
    const chosen = form.elements.file;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      await this.send(this.place, chosen.files);
      form.reset();
    });
  }

  given(event, from) {
    if (!from.files.length) return;
    event.preventDefault();
    this.send(event.currentTarget, from.files);
  }

  async send(place, files) {
    for (const file of files) {
      this.told.textContent = `${this.told.dataset.sending} ${file.name}`;
      const body = new FormData();
      body.append("file", file);
      const response = await fetch("/v1/attachments", { method: "POST", body, headers: { "X-CSRF-Token": this.csrf } });
      const said = await response.json();
      this.told.textContent = response.ok ? `${this.told.dataset.sent} ${said.name}` : said.detail;
      if (response.ok) this.insert(place, said.markdown);
    }
  }

  insert(place, markdown) {
    place.setRangeText(markdown, place.selectionStart, place.selectionEnd, "end");
    place.dispatchEvent(new InputEvent("input", { bubbles: true }));
    place.focus();
  }
}

const editor = document.querySelector("#editor");
const form = document.querySelector("#attach");
if (editor && form) new Attaching(editor, form);
