// What the pages can do besides with script. Without it, everything works by forms alone.
"use strict";

// A URL is checked while it is typed, by the rules of the database.
for (const input of document.querySelectorAll("input[data-check]")) {
  const form = input.form;
  const problem = document.getElementById(`${input.id}-problem`);
  let timer, running;
  const say = (text) => {
    problem.textContent = text;
    if (text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  };
  const check = async () => {
    running?.abort();
    if (!input.value.trim()) return say("");
    running = new AbortController();
    const kind = form.querySelector("[name=webhook_type]:checked");
    const body = new URLSearchParams({ webhook_type: kind ? kind.value : "", webhook_url: input.value });
    try {
      const answer = await fetch(input.dataset.check, { method: "POST", body, signal: running.signal, redirect: "error" });
      if (answer.ok) say((await answer.json()).problem ?? "");
    } catch {
      // What is wrong is said again when the form is sent.
    }
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(check, 300);
  };
  input.addEventListener("input", soon);
  for (const kind of form.querySelectorAll("[name=webhook_type]")) kind.addEventListener("change", soon);
}

// "All events" makes the single ones pointless.
for (const single of document.querySelectorAll("[data-unless-all]")) {
  const all = single.closest("fieldset").querySelector("input[value='*']");
  const follow = () => {
    for (const box of single.querySelectorAll("input")) box.disabled = all.checked;
  };
  all.addEventListener("change", follow);
  follow();
}

// One box for all of a list.
for (const place of document.querySelectorAll("[data-select-all]")) {
  const boxes = [...place.closest("form").querySelectorAll("input[name=id]")];
  const label = document.createElement("label");
  label.className = "tick";
  const all = document.createElement("input");
  all.type = "checkbox";
  label.append(all, " Select all on this page");
  all.addEventListener("change", () => boxes.forEach((box) => (box.checked = all.checked)));
  place.append(label);
}

// What takes a while says so, and is not asked for twice.
for (const form of document.querySelectorAll("form[data-busy]")) {
  form.addEventListener("submit", () => {
    const button = form.querySelector("button");
    button.textContent = form.dataset.busy;
    setTimeout(() => (button.disabled = true));
  });
}

// Times as the clock on the wall has them; without script they are in UTC.
for (const time of document.querySelectorAll("main time[datetime]")) {
  const at = new Date(time.dateTime);
  if (Number.isNaN(at.getTime())) continue;
  const two = (number) => String(number).padStart(2, "0");
  const zone = new Intl.DateTimeFormat(undefined, { timeZoneName: "short" }).formatToParts(at).find((part) => part.type === "timeZoneName");
  time.title = time.textContent.trim();
  time.textContent =
    `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ` +
    `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())} ${zone ? zone.value : ""}`.trim();
}

// What stands in a box can be taken along.
for (const box of document.querySelectorAll("pre")) {
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy quiet";
  button.textContent = "Copy";
  const name = box.getAttribute("aria-label");
  if (name) button.setAttribute("aria-label", `Copy: ${name}`);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(box.textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select it, and press Ctrl+C";
    }
    setTimeout(() => (button.textContent = "Copy"), 3000);
  });
  box.after(button);
}
