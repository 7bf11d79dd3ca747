(() => {
  const tail = document.getElementById("tail");
  if (!tail || !window.EventSource) return;
  const part = (name) => tail.querySelector(`[data-${name}]`);
  const rows = tail.querySelector("tbody");
  const [state, counts, note, button] = ["state", "counts", "note", "pause"].map(part);
  const KEEP = 500;
  let source, position, shown = 0, leftOut = 0, heard = Date.now();

  const say = (words) => { if (state.textContent !== words) state.textContent = words; };
  const number = (n) => n.toLocaleString("en-US");
  const cell = (row, text, name, label) => {
    const td = row.appendChild(document.createElement("td"));
    td.className = name;
    if (label) td.dataset.l = label;
    td.textContent = text;
    return td;
  };
  const words = (payload) => (payload.kind === "null" ? "null" : payload.text);
  const add = (record) => {
    const row = document.createElement("tr");
    const { partition, offset } = record;
    cell(row, partition, "num mono", "partition");
    const link = document.createElement("a");
    link.className = "name";
    link.href = `${tail.dataset.topic}?partition=${partition}&from=offset%3A${offset}&open=${partition}%3A${offset}`;
    link.textContent = number(offset);
    cell(row, "", "num mono", "offset").append(link);
    cell(row, record.timestamp ? record.timestamp.replace("T", " ").replace("Z", "") : "", "muted", "time");
    cell(row, words(record.key), "key mono", "key");
    cell(row, words(record.value), "preview mono", "value");
    rows.prepend(row);
  };
  const records = (event) => {
    const view = JSON.parse(event.data);
    heard = Date.now();
    position = view.position || position;
    view.records.forEach(add);
    while (rows.rows.length > KEEP) rows.lastElementChild.remove();
    shown += view.records.length;
    leftOut += view.leftOut;
    counts.textContent = ` · ${number(shown)} since this page was opened, ${number(leftOut)} left out`;
    note.textContent = view.note || "";
    note.className = view.note ? "note warn" : "";
    say("Live");
  };
  const BYE = {
    shutdown: "The server is being restarted; trying again",
    expired: "Ended: sign in again, or the right to read was taken",
    tooMany: "Not live: too many streams are open",
    replaced: "Ended: a newer page of this session took its place",
    gone: "Ended: the topic is not there any more",
  };
  const close = () => { if (source) source.close(); source = undefined; };
  const open = () => {
    const more = position ? `${tail.dataset.stream.includes("?") ? "&" : "?"}from=${encodeURIComponent(position)}` : "";
    source = new EventSource(tail.dataset.stream + more);
    heard = Date.now();
    source.addEventListener("records", records);
    source.addEventListener("beat", () => { heard = Date.now(); say("Live"); });
    source.addEventListener("bye", (event) => {
      const { reason } = JSON.parse(event.data);
      say(BYE[reason] || reason);
      if (reason !== "shutdown") { close(); button.textContent = "Resume"; }
    });
    source.onerror = () => {
      if (!source) return;
      say(source.readyState === EventSource.CLOSED ? "Not live: the server refused" : "Connection lost; trying again");
    };
  };
  const pause = () => {
    if (source) { close(); say("Paused"); button.textContent = "Resume"; return; }
    button.textContent = "Pause";
    say("Connecting");
    open();
  };
  button.hidden = false;
  button.addEventListener("click", pause);
  // A page that nobody looks at reads nothing.
  let hidden = false;
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && source) { hidden = true; close(); say("Paused while the page is hidden"); }
    else if (!document.hidden && hidden) { hidden = false; say("Connecting"); open(); }
  });
  setInterval(() => { if (source && Date.now() - heard > 15000) say("Connection lost; trying again"); }, 1000);
  say("Connecting");
  open();
})();
