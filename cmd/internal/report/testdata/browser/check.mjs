// Opens pages in headless Chromium as their readers do, and says what is wrong with them:
//   node check.mjs [--shots FOLDER] PAGE.html...
// At 360 and 1400 pixels, with nothing allowed but the file itself: errors of the console, requests, anything that could run, tables,
// figures and pictures without size, the page or a text of a picture wider than its place, texts of a picture that cover each other or are
// too small, ids that are there twice, links to nowhere, and what axe-core finds serious. Then printed on A4, with everything that was folded.
// Prints a table, a line for each page and width, and every finding; exit code 1 if there is one. With --shots: pictures of each page as it
// opens, unfolded, and in grey, and the PDF.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import puppeteer from 'puppeteer-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const pages = process.argv.slice(2);
const at = pages.indexOf('--shots');
const shots = at < 0 ? null : resolve(pages.splice(at, 2)[1]);
if (pages.length === 0) {
  console.error('usage: node check.mjs [--shots FOLDER] PAGE.html...');
  process.exit(2);
}
if (shots) mkdirSync(shots, { recursive: true });
const chromium = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((f) => f && existsSync(f));
if (!chromium) {
  console.error('no Chromium: install it (apt-get install chromium), or name it in CHROMIUM');
  process.exit(2);
}

const has = (tool) => {
  try {
    execFileSync(tool, ['-v'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};
const pdftotext = has('pdftotext');

// look runs in the page, every details open. It finds what has no size, what is too wide, too small, covered, or could run.
const look = (width) => {
  const found = [];
  const say = (what, node) => found.push(`${what}: ${node ? (node.outerHTML ?? node.textContent).replace(/\s+/g, ' ').slice(0, 110) : ''}`);
  const root = document.documentElement;
  if (root.scrollWidth > width) {
    say(`wider than the page (${root.scrollWidth} of ${width})`, [...document.body.querySelectorAll('*')].find((e) => {
      if (e.getBoundingClientRect().right <= width + 1) return false;
      for (let p = e.parentElement; p; p = p.parentElement) if (getComputedStyle(p).overflowX !== 'visible') return false;
      return true;
    }));
  }
  const seen = (e) => {
    const r = e.getBoundingClientRect();
    return r.width > 1 && r.height > 1 && e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  };
  // What is for those alone who listen is meant to have no size.
  const parts = [...document.querySelectorAll('table, figure, svg, h1, h2')].filter((e) => getComputedStyle(e).clipPath !== 'inset(50%)');
  for (const e of parts) if (!seen(e)) say('not to be seen', e);
  for (const e of document.querySelectorAll('table')) if (e.rows.length === 0 || !e.innerText.trim()) say('an empty table', e);
  for (const e of document.querySelectorAll('script, iframe, object, embed, form, link[rel=stylesheet], base')) say('not of a report', e);
  for (const e of document.querySelectorAll('*')) {
    for (const a of e.attributes) {
      if (/^on/i.test(a.name) || /^\s*javascript:/i.test(a.value)) say(`attribute ${a.name} could run`, e);
    }
  }
  const ids = new Set();
  for (const e of document.querySelectorAll('[id]')) {
    if (ids.has(e.id)) say(`id ${e.id} is there twice`, e);
    ids.add(e.id);
  }
  for (const a of document.querySelectorAll('a[href^="#"]')) if (!ids.has(decodeURIComponent(a.getAttribute('href').slice(1)))) say('a link to nowhere', a);
  for (const svg of document.querySelectorAll('svg[role=img]')) {
    const by = svg.getAttribute('aria-labelledby')?.split(' ').map((id) => document.getElementById(id)) ?? [svg.querySelector(':scope > title')];
    if (!by.every((e) => e?.textContent.trim())) say('a picture without words', svg);
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll('text')].map((e) => ({ e, r: e.getBoundingClientRect() }));
    for (const { e, r } of texts) {
      const size = parseFloat(getComputedStyle(e).fontSize) * e.getScreenCTM().a || parseFloat(getComputedStyle(e).fontSize) * Math.abs(e.getScreenCTM().b);
      if (size < 9) say(`text of ${size.toFixed(1)} pixels`, e);
      if (r.left < frame.left - 2 || r.right > frame.right + 2 || r.top < frame.top - 2 || r.bottom > frame.bottom + 2) say('text beyond its picture', e);
    }
    texts.forEach(({ e, r }, i) => {
      for (const { e: f, r: q } of texts.slice(0, i)) {
        const over = Math.max(0, Math.min(r.right, q.right) - Math.max(r.left, q.left)) * Math.max(0, Math.min(r.bottom, q.bottom) - Math.max(r.top, q.top));
        if (over > 0.2 * Math.min(r.width * r.height, q.width * q.height)) say(`"${f.textContent.slice(0, 40)}" covers`, e);
      }
    });
  }
  return { found, tables: document.querySelectorAll('table').length, pictures: document.querySelectorAll('svg[role=img]').length };
};

const browser = await puppeteer.launch({
  executablePath: chromium,
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
});
const lines = [];
let failed = false;
for (const file of pages) {
  const url = pathToFileURL(resolve(file)).href;
  const name = join(basename(dirname(resolve(file))), basename(file, '.html'));
  for (const width of [360, 1400]) {
    const found = [];
    const tab = await browser.newPage();
    await tab.setViewport({ width, height: width < 500 ? 740 : 900, deviceScaleFactor: 1 });
    tab.on('console', (m) => ['error', 'warn'].includes(m.type()) && found.push(`console: ${m.text().slice(0, 200)}`));
    tab.on('pageerror', (e) => found.push(`script: ${String(e).slice(0, 200)}`));
    tab.on('dialog', (d) => {
      found.push(`dialog: ${d.message()}`);
      d.dismiss();
    });
    await tab.setRequestInterception(true);
    tab.on('request', (r) => {
      if (r.url() === url || r.url().startsWith('data:')) return r.continue();
      found.push(`request: ${r.url().slice(0, 200)}`);
      return r.abort();
    });
    await tab.goto(url, { waitUntil: 'load' });
    const picture = async (what, fullPage) => {
      if (shots) await tab.screenshot({ path: join(shots, `${name.replaceAll('/', '-')}-${width}-${what}.png`), fullPage });
    };
    await picture('first', false);
    if (await tab.evaluate((w) => document.documentElement.scrollWidth > w, width)) found.push('wider than the page while folded');
    await tab.evaluate(() => document.querySelectorAll('details').forEach((d) => (d.open = true)));
    const seen = await tab.evaluate(look, width);
    found.push(...seen.found);
    await tab.evaluate(axe);
    const results = await tab.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
    for (const v of results.violations.filter((v) => ['serious', 'critical'].includes(v.impact))) {
      found.push(`axe ${v.id} (${v.impact}, ${v.nodes.length}): ${v.help}: ${v.nodes[0].html.replace(/\s+/g, ' ').slice(0, 110)}`);
    }
    await picture('open', true);
    await tab.addStyleTag({ content: 'html { filter: grayscale(1) }' });
    await picture('grey', true);
    let sheets = '';
    if (width === 1400) {
      // Printed as it opens: the reader has unfolded nothing.
      await tab.reload({ waitUntil: 'load' });
      const folded = await tab.evaluate(() =>
        [...document.querySelectorAll('details')].map((d) => {
          const walk = document.createTreeWalker(d, NodeFilter.SHOW_TEXT);
          const words = [];
          while (walk.nextNode()) if (!walk.currentNode.parentElement.closest('summary, title, desc, .unseen')) words.push(walk.currentNode.data);
          return words.join(' ');
        }),
      );
      const pdf = Buffer.from(await tab.pdf({ format: 'A4', preferCSSPageSize: true, printBackground: true }));
      sheets = (pdf.toString('latin1').match(/\/Type\s*\/Page\b(?!s)/g) ?? []).length;
      if (sheets === 0) found.push('printed: no page');
      const box = /\/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)/.exec(pdf.toString('latin1'));
      if (!box || Math.abs(box[1] - 595) > 2 || Math.abs(box[2] - 842) > 2) found.push(`printed: not on A4 (${box?.slice(1)})`);
      if (shots) writeFileSync(join(shots, `${name.replaceAll('/', '-')}.pdf`), pdf);
      if (pdftotext) {
        const work = mkdtempSync(join(tmpdir(), 'report-'));
        writeFileSync(join(work, 'a.pdf'), pdf);
        const text = execFileSync('pdftotext', ['-q', join(work, 'a.pdf'), '-'], { maxBuffer: 1 << 28 }).toString('utf8');
        rmSync(work, { recursive: true });
        const words = (s) => new Set(s.match(/\p{L}{4,9}/gu) ?? []);
        const printed = words(text);
        folded.forEach((s, i) => {
          const all = [...words(s)];
          const lost = all.filter((w) => !printed.has(w));
          if (lost.length > 0.2 * all.length) found.push(`printed: of the folded part ${i + 1} ${lost.length} of ${all.length} words are not there, as ${lost.slice(0, 5).join(', ')}`);
        });
      }
    }
    await tab.close();
    lines.push({ page: name, width, tables: seen.tables, pictures: seen.pictures, sheets, axe: results.violations.length, findings: found.length });
    for (const f of new Set(found)) console.log(`${name} at ${width}: ${f}`);
    failed ||= found.length > 0;
  }
}
await browser.close();
const columns = Object.keys(lines[0]);
const wide = columns.map((c) => Math.max(c.length, ...lines.map((l) => String(l[c]).length)));
for (const row of [Object.fromEntries(columns.map((c) => [c, c])), ...lines]) console.log(columns.map((c, i) => (i === 0 ? String(row[c]).padEnd(wide[i]) : String(row[c]).padStart(wide[i]))).join('  '));
if (!pdftotext) console.log('pdftotext is missing: whether all that was folded is printed was not looked at');
console.log(failed ? 'FAILED' : 'passed');
process.exit(failed ? 1 : 0);
