"use strict";
(() => {
  const numbers = JSON.parse(document.getElementById("numbers").textContent);
  const narrow = () => window.innerWidth < 600;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const axis = (title, more) => ({ title: { text: title }, gridcolor: colour("--line"), zerolinecolor: colour("--line"), automargin: true, ...more });
  // Margins at the sides that depend on labels at the ends of this axis may come and go without an end.
  const across = (title, more) => axis(title, { automargin: "height", ...more });
  // Of few trials or epochs every one has a tick, and nothing between them.
  const whole = (title, values) => across(title, Math.max(...values) - Math.min(...values) < 8 ? { tick0: 0, dtick: 1 } : {});
  // Where losses differ by orders of magnitude, the good ones would lie on one line.
  const spread = (values) => {
    const known = values.filter((value) => value !== null);
    const lowest = Math.min(...known);
    return lowest > 0 && Math.max(...known) > 20 * lowest ? { type: "log", dtick: "D2" } : {};
  };
  const labels = () => ({ bgcolor: colour("--soft"), bordercolor: colour("--line"), font: { color: colour("--ink") } });
  const layout = (x, y, more) => ({
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: colour("--ink") },
    margin: { l: 50, r: 20, t: narrow() ? 10 : 32, b: 40 }, xaxis: across(x), yaxis: axis(y), hovermode: "closest", hoverlabel: labels(),
    legend: narrow() ? { orientation: "h", yref: "container", yanchor: "bottom", y: 0 } : {},
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--line"), activecolor: colour("--ink") }, ...more,
  });
  // Nothing may leave the page: no button that uploads a picture.
  const config = {
    responsive: true, displaylogo: false, displayModeBar: narrow() ? false : "hover", plotlyServerURL: "",
    modeBarButtonsToRemove: ["sendChartToCloud", "sendDataToCloud", "select2d", "lasso2d"],
  };

  const draw = {
    curves(place, { curves, measure }) {
      const lines = curves.map(({ name, losses }) => ({
        name, y: losses, x: losses.map((_, i) => i + 1), mode: losses.length > 1 ? "lines" : "markers",
        hovertemplate: "%{fullData.name}<br>epoch %{x}: %{y}<extra></extra>",
      }));
      const every = curves.flatMap(({ losses }) => losses);
      Plotly.newPlot(place, lines, layout("epoch", measure, { xaxis: whole("epoch", lines.flatMap(({ x }) => x)), yaxis: axis(measure, spread(every)) }), config);
    },
    history(place, { history, value }) {
      let lowest = Infinity;
      const best = history.values.map((value) => (lowest = Math.min(lowest, value)));
      Plotly.newPlot(place, [
        { x: history.trials, y: history.values, text: history.names, mode: "markers", name: "trial",
          hovertemplate: "trial %{x}: %{y}<br>%{text}<extra></extra>" },
        { x: history.trials, y: best, mode: "lines", line: { shape: "hv" }, name: "lowest so far", hoverinfo: "skip" },
      ], layout("trial", value, { xaxis: whole("trial", history.trials), yaxis: axis(value, spread(history.values)) }), config);
    },
    sizes(place, { sizes, value }) {
      Plotly.newPlot(place, [{
        x: sizes.parameters, y: sizes.losses, text: sizes.names, mode: "markers",
        hovertemplate: "%{text}<br>%{x:,} parameters: %{y}<extra></extra>",
      }], layout("parameters", value, {
        xaxis: across("parameters", spread(sizes.parameters)), yaxis: axis(value, spread(sizes.losses)),
      }), config);
    },
    latent(place, { latent }) {
      const controls = place.closest("section").querySelectorAll("[data-axis]");
      const [x, y, by] = controls;
      latent.points.forEach((_, i) => { for (const one of [x, y]) one.add(new Option(`latent_${i + 1}`, i)); });
      y.value = String(Math.min(1, latent.points.length - 1));
      by.add(new Option("nothing", -1));
      latent.colours.forEach(({ name }, i) => {
        const option = new Option("", i);
        option.innerHTML = name;
        by.add(option);
      });
      if (latent.colours.length) by.value = "0";
      const show = () => Plotly.react(place, points(latent, +x.value, +y.value, +by.value),
        layout(x.selectedOptions[0].text, y.selectedOptions[0].text), config);
      controls.forEach((control) => control.addEventListener("change", show));
      show();
    },
  };

  const dot = { size: 6, line: { width: 0.5, color: "#888" } };  // seen on light and dark

  function points({ points, rows, colours }, x, y, by) {
    const told = rows.map((row, i) =>
      [`row ${row}`, ...colours.slice(0, 6).map(({ name, values }) => `${name}: ${values[i] ?? "missing"}`)].join("<br>"));
    const base = { mode: "markers", hovertemplate: "%{text}<extra></extra>", marker: { ...dot } };
    const part = (chosen, more) => ({
      ...base, x: chosen.map((i) => points[x][i]), y: chosen.map((i) => points[y][i]), text: chosen.map((i) => told[i]), ...more,
    });
    const every = rows.map((_, i) => i);
    if (by < 0) return [part(every, { showlegend: false })];
    const { name, values } = colours[by];
    if (values.every((value) => value === null || typeof value === "number")) {
      const marker = { ...dot, color: values, colorscale: "Viridis", showscale: true, colorbar: { title: { text: name } } };
      return [part(every, { marker, showlegend: false })];
    }
    const groups = [...new Set(values)].sort((a, b) => String(a).localeCompare(String(b), "en", { numeric: true }));
    return groups.map((group) => part(every.filter((i) => values[i] === group), { name: String(group) }));
  }

  const key = (row, place) => {
    const text = row.cells[place].textContent.trim();
    const number = Number(text.replace("%", ""));
    return text === "" ? null : Number.isNaN(number) ? text : number;
  };
  const compare = (a, b) => {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  };
  document.querySelectorAll("table.sortable").forEach((table) => {
    table.tHead.querySelectorAll("button").forEach((button, place) => button.addEventListener("click", () => {
      const head = button.parentElement;
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      table.tHead.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows].map((row) => [key(row, place), row]);
      rows.sort(([a], [b]) => (a === null || b === null ? compare(a, b) : sign * compare(a, b)));
      table.tBodies[0].append(...rows.map(([, row]) => row));
    }));
  });
  // Digits of losses and sizes are no words: 64 finds the stacks of this width, and not a loss of 0.064.
  document.querySelectorAll("[data-filter]").forEach((input) => input.addEventListener("input", () => {
    const table = document.getElementById(input.dataset.filter);
    const rows = [...table.tBodies[0].rows];
    const places = [...table.tHead.rows[0].cells].flatMap((head, place) => ("words" in head.dataset ? [place] : []));
    const wanted = input.value.trim().toLowerCase().split(/\s+/);
    rows.forEach((row) => {
      const text = places.map((place) => row.cells[place].textContent.toLowerCase()).join("\n");
      row.hidden = !wanted.every((word) => text.includes(word));
    });
    const n = rows.filter((row) => !row.hidden).length;
    document.querySelector(`[data-count="${input.dataset.filter}"]`).textContent = `${n.toLocaleString("en")} row${n === 1 ? "" : "s"}`;
  }));

  // Plotly is large: the page can be read and sorted before it is compiled, and each picture is drawn in a turn of
  // its own.
  const places = [...document.querySelectorAll("[data-plot]")];
  const turn = () => new Promise((done) => setTimeout(done));
  window.addEventListener("load", async () => {
    await turn();
    const script = document.createElement("script");
    script.textContent = document.getElementById("plotly").textContent;
    document.head.append(script);
    for (const place of places) {
      await turn();
      const found = numbers[place.dataset.search];
      if (found[place.dataset.plot]) draw[place.dataset.plot](place, found);
    }
    document.documentElement.dataset.drawn = "all";
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => places.forEach((place) => {
    if (!place.data) return;
    const line = colour("--line");
    Plotly.relayout(place, { hoverlabel: labels(), "font.color": colour("--ink"), "xaxis.gridcolor": line, "yaxis.gridcolor": line, "xaxis.zerolinecolor": line, "yaxis.zerolinecolor": line });
  }));
})();
