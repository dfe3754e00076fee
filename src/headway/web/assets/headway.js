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
