// The rows of all pages in one table: those in view, and a screen around them, are read page by page; what is far away
// is a row of the same height. Without this script there are links to the other pages.
(() => {
  const table = document.querySelector("table.groups-table[data-total]");
  const pager = document.querySelector(".pager");
  if (!table || !pager || !window.IntersectionObserver) return;
  const [total, limit, offset] = ["total", "limit", "offset"].map((name) => Number(table.dataset[name]));
  const here = table.tBodies[0];
  if (total <= limit || !here || !here.rows.length) return;
  const columns = here.rows[0].cells.length;
  const rowHeight = here.offsetHeight / here.rows.length;
  const AT_ONCE = 2;
  const DEADLINE = 15000;

  // The page that was asked for stays in view while those before it get their real height, until the reader moves.
  let stays = offset > 0 && performance.getEntriesByType("navigation")[0]?.type === "navigate";
  for (const kind of ["wheel", "touchmove", "keydown", "pointerdown"]) {
    addEventListener(kind, () => { stays = false; }, { passive: true, once: true });
  }

  // Where it is not wider than its frame, the names of its columns stay in view.
  const frame = table.closest(".scroll");
  const fit = () => frame.classList.toggle("fits", frame.scrollWidth <= frame.clientWidth);

  const ofBody = new Map();
  const numbered = (page) => [...page.body.rows].forEach((row, n) => row.setAttribute("aria-rowindex", page.from + n + 2));
  const wide = (height) => {
    const row = document.createElement("tr");
    const cell = row.appendChild(document.createElement("td"));
    cell.colSpan = columns;
    if (height) cell.style.height = `${height}px`;
    return row;
  };
  const empty = (page) => {
    page.body.replaceChildren(wide(page.height));
    page.state = "empty";
  };
  const pages = [];
  const before = offset % limit ? (offset % limit) - limit : 0;
  for (let start = before; start < total; start += limit) {
    const from = Math.max(start, 0);
    const count = Math.min(start + limit, total) - from;
    const page = { from, count, height: rowHeight * count, near: false, state: "loaded" };
    page.body = from === offset ? here : document.createElement("tbody");
    ofBody.set(page.body, page);
    pages.push(page);
    if (from < offset) table.insertBefore(page.body, here);
    else if (from > offset) table.append(page.body);
    if (page.body === here) numbered(page);
    else empty(page);
  }
  table.setAttribute("aria-rowcount", total + 1);

  const address = (page) => {
    const url = new URL(location.href);
    // Only what the page itself was asked to select is ticked, never what is read later.
    url.searchParams.delete("selected");
    url.searchParams.set("offset", page.from);
    url.searchParams.set("limit", page.count);
    url.hash = "";
    return url;
  };
  const failed = (page) => {
    page.state = "failed";
    const row = wide(page.height);
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn small";
    button.textContent = "Try again";
    button.addEventListener("click", () => { empty(page); next(); });
    row.cells[0].append("These groups could not be read. ", button);
    page.body.replaceChildren(row);
  };
  const load = async (page) => {
    page.state = "loading";
    try {
      const answer = await fetch(address(page), { headers: { accept: "text/html" }, signal: AbortSignal.timeout(DEADLINE) });
      // A session that has ended leads to the form to sign in.
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      const read = new DOMParser().parseFromString(await answer.text(), "text/html");
      const rows = read.querySelector("table.groups-table tbody");
      page.body.replaceChildren(...(rows ? rows.rows : []));
      if (!page.body.rows.length) page.body.append(wide(0));
      numbered(page);
      page.state = "loaded";
    } catch {
      failed(page);
    }
    fit();
    if (stays) here.scrollIntoView();
    next();
  };
  function next() {
    const busy = pages.filter((page) => page.state === "loading").length;
    const wanted = pages.filter((page) => page.near && page.state === "empty");
    wanted.slice(0, Math.max(AT_ONCE - busy, 0)).forEach(load);
  }
  const isInUse = (page) => page.body.contains(document.activeElement) || page.body.querySelector("input:checked");
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const page = ofBody.get(entry.target);
      page.near = entry.isIntersecting;
      if (!page.near && page.state === "loaded" && !isInUse(page)) {
        page.height = page.body.offsetHeight;
        empty(page);
      }
    }
    next();
  }, { rootMargin: "100% 0px" });
  pages.forEach((page) => seen.observe(page.body));

  // Where the reader is: said below, and kept in the address, so that a reload stays there.
  const words = pager.querySelector("[data-shown]");
  const number = (n) => n.toLocaleString("en-US");
  const at = (y) => {
    const page = pages.find((one) => one.body.getBoundingClientRect().bottom > y) || pages[pages.length - 1];
    const { top, height } = page.body.getBoundingClientRect();
    const within = Math.floor(((y - top) / height) * page.count);
    return { page, row: page.from + Math.min(Math.max(within, 0), page.count - 1) };
  };
  let kept;
  const bar = document.querySelector(".bar");
  const told = () => {
    const heads = bar.offsetHeight + table.tHead.offsetHeight + rowHeight / 2;
    const [top, bottom] = [at(heads), at(window.innerHeight - pager.offsetHeight)];
    words.textContent = `${number(top.row + 1)} to ${number(bottom.row + 1)} of ${number(total)}`;
    clearTimeout(kept);
    kept = setTimeout(() => {
      const url = new URL(location.href);
      if (top.page.from) url.searchParams.set("offset", top.page.from);
      else url.searchParams.delete("offset");
      history.replaceState(history.state, "", url);
    }, 300);
  };
  let waits = false;
  const moved = () => {
    if (waits) return;
    waits = true;
    requestAnimationFrame(() => { waits = false; told(); });
  };
  pager.querySelectorAll("a").forEach((link) => { link.hidden = true; });
  pager.classList.add("stays");
  if (stays) here.scrollIntoView();
  addEventListener("scroll", moved, { passive: true });
  addEventListener("resize", () => { fit(); moved(); });
  fit();
  told();
})();
