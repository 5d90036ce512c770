// The answer that a language model writes, where there is one, in place of the extract. Without this module, or where
// nothing good came of it, the extract stays.
const section = document.querySelector("section.answer[data-written]");

async function write() {
  const status = section.querySelector("[data-writing]");
  status.hidden = false;
  try {
    const response = await fetch(section.dataset.written, { headers: { Accept: "text/html" } });
    if (response.status === 200) {
      const html = await response.text(); // made and escaped by the server
      // What somebody is reading or has marked is not taken from under their eyes without a word: it is announced.
      section.setAttribute("aria-live", "polite");
      section.innerHTML = html;
    }
  } catch {
    // the extract stays
  } finally {
    status.remove();
  }
}

if (section) write();
