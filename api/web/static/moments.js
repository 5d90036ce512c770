// Moments, written in UTC by the server, in the reader's own time.
const form = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
for (const shown of document.querySelectorAll("time[datetime]")) {
  shown.title = shown.textContent;
  shown.textContent = form.format(new Date(shown.dateTime));
}
