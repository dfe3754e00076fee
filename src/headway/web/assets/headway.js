// What pages do besides what their server made: every page can be read, and every act be done, without it.
(() => {
  const said = document.createElement("p");
  said.className = "said";
  said.setAttribute("role", "status");
  document.documentElement.classList.add("scripted");
  document.body.append(said);

  async function copy(button) {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
    said.textContent = `Copied: ${button.dataset.copy}`;
    setTimeout(() => { button.textContent = "Copy"; said.textContent = ""; }, 2000);
  }

  // Browsers from before 2025 know no commands of buttons; the dialog is theirs.
  function command(button) {
    const dialog = document.getElementById(button.getAttribute("commandfor"));
    if (dialog) button.getAttribute("command") === "close" ? dialog.close() : dialog.showModal();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button");
    if (button?.dataset.copy) copy(button);
    else if (button?.hasAttribute("commandfor") && !("commandForElement" in button)) command(button);
  });

  // The log of a step is followed while it prints, and goes on in both directions where it is scrolled to an end.
  const MOST = 6000;
  let reading = false;
  const lineOf = (row) => (row ? Number(row.id.slice(1)) : 0);
  const isAtEnd = (log) => log.scrollHeight - log.scrollTop - log.clientHeight < 40;

  async function part(log, query) {
    const answer = await fetch(`${log.dataset.log}?${query}`, { headers: { Accept: "text/html" } });
    if (!answer.ok) return null;
    return new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("log");
  }

  // A link where lines are left out: there is none at the first line, and none at the last.
  function link(log, rel, from) {
    const old = log.querySelector(`a.more[rel="${rel}"]`);
    if (from ? old : !old) { if (old) old.href = `${log.dataset.log}?${from}`; return; }
    if (!from) { old.remove(); return; }
    const made = document.createElement("a");
    made.className = "more";
    made.rel = rel;
    made.href = `${log.dataset.log}?${from}`;
    made.textContent = rel === "prev" ? "Earlier lines" : "Later lines";
    rel === "prev" ? log.prepend(made) : log.querySelector("ol").after(made);
  }

  function add(log, rows, isBefore, hasNext) {
    const list = log.querySelector("ol"), height = log.scrollHeight, top = log.scrollTop;
    isBefore ? list.prepend(...rows) : list.append(...rows);
    while (list.children.length > MOST) (isBefore ? list.lastElementChild : list.firstElementChild).remove();
    const first = lineOf(list.firstElementChild), last = lineOf(list.lastElementChild);
    link(log, "prev", first > 1 && `before=${first}`);
    link(log, "next", hasNext(last) && `after=${last}`);
    // What is looked at stays where it is.
    if (isBefore) log.scrollTop = top + log.scrollHeight - height;
  }

  async function extend(log, isBefore) {
    const list = log.querySelector("ol");
    const found = await part(log, isBefore ? `before=${lineOf(list.firstElementChild)}` : `after=${lineOf(list.lastElementChild)}`);
    if (found) add(log, [...found.querySelectorAll("li")], isBefore, (last) => last < Number(found.dataset.lines));
  }

  async function follow(log) {
    const list = log.querySelector("ol"), last = list.lastElementChild, stays = isAtEnd(log);
    // The last line may have gone on.
    const found = await part(log, `after=${Math.max(lineOf(last) - 1, 0)}`);
    if (!found) return;
    const isFar = stays && lineOf(found.querySelector("li:last-child")) < Number(found.dataset.lines);
    if (isFar || found.dataset.attempt !== log.dataset.attempt) {
      const whole = await part(log, "") ?? found;
      log.replaceWith(whole);
      whole.scrollTop = whole.scrollHeight;
      return;
    }
    const rows = [...found.querySelectorAll("li")];
    if (last && rows.length) last.remove();
    add(log, rows, false, (at) => at < Number(found.dataset.lines));
    if (!("live" in found.dataset)) { delete log.dataset.live; log.querySelector(".live")?.remove(); }
    if (stays) log.scrollTop = log.scrollHeight;
  }

  async function once(act, ...given) {
    if (reading) return;
    reading = true;
    try { await act(...given); } catch { /* the server is away: the next look tells */ } finally { reading = false; }
  }

  document.addEventListener("scroll", ({ target: log }) => {
    if (log.id !== "log") return;
    if (log.scrollTop < 200 && log.querySelector('a.more[rel="prev"]')) once(extend, log, true);
    else if (isAtEnd(log) && log.querySelector('a.more[rel="next"]')) once(extend, log, false);
  }, { capture: true, passive: true });

  document.addEventListener("click", (event) => {
    const more = event.target.closest?.("#log a.more");
    if (!more) return;
    event.preventDefault();
    once(extend, more.closest("#log"), more.rel === "prev");
  });

  setInterval(() => {
    const log = document.getElementById("log");
    if (log && "live" in log.dataset && !document.hidden && !log.querySelector('a.more[rel="next"]')) once(follow, log);
  }, 1000);

  const log = document.getElementById("log");
  if (log && !location.hash) {
    const marked = log.querySelector(".marked");
    if (marked) marked.scrollIntoView({ block: "center" });
    else if (!log.querySelector('a.more[rel="next"]') && !location.search) log.scrollTop = log.scrollHeight;
  }

  // An open page is looked at anew when a stream says that the log has come further than what it shows, now and then
  // besides, and every few seconds where there is no stream. One that nobody sees waits until it is seen.
  const shows = () => document.getElementById("main")?.dataset ?? {};
  let stream = null, told = 0, handled = 0, looked = Date.now(), asking = 0, timer = 0, again = 0;

  function consider() {
    clearTimeout(timer);
    const { seq, rest, refresh, streamed } = shows();
    if (document.hidden || !seq) return;
    const isNews = told > Math.max(handled, Number(seq));
    const every = isNews ? rest : stream?.readyState === EventSource.OPEN ? streamed : refresh;
    const since = asking || looked;
    const wait = since + 1000 * (asking ? 60 : every) - Date.now();
    if (wait <= 0) {
      asking = Date.now();
      handled = told;
      document.getElementById("main").dispatchEvent(new Event("look"));
    }
    timer = setTimeout(consider, Math.max(wait, 100));
  }

  function answered() {
    if (asking) looked = Date.now();
    asking = 0;
    consider();
  }

  function listen() {
    clearTimeout(again);
    if (document.hidden || stream || !shows().seq) return;
    stream = new EventSource(`/live?after=${shows().seq}`);
    stream.onopen = consider;
    stream.onmessage = (event) => { told = Number(event.data); consider(); };
    stream.onerror = () => {
      // It comes back by itself, but where it was refused.
      if (stream.readyState === EventSource.CLOSED) { stream = null; again = setTimeout(listen, 30000); }
      consider();
    };
  }

  function leave() {
    clearTimeout(again);
    clearTimeout(timer);
    stream?.close();
    stream = null;
  }

  function seen() {
    if (document.hidden) leave();
    else { listen(); consider(); }
  }

  if (shows().seq) {
    document.addEventListener("htmx:finally:request", answered);
    document.addEventListener("visibilitychange", seen);
    addEventListener("pagehide", leave);
    addEventListener("pageshow", seen);
  }
})();
