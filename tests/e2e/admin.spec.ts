import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { account, axeFindings, expect, test } from './fixtures';

/** The run that tests/e2e/past_run.py has written, and the version `second` that came of it. */
test.skip(() => account() === null, 'no run is in the database of a server in local mode');
test.use({ reducedMotion: 'reduce' });

async function runId(page: Page): Promise<string> {
  const response = await page.request.get('/api/training/runs');
  const { items } = (await response.json()) as { items: { id: string }[] };
  return items[0]?.id ?? '';
}

const version = (page: Page, name: string) =>
  page.getByRole('region', { name: 'Versions' }).getByRole('listitem').filter({ hasText: name });

/** A folder with two source files, an image, a file that is too large, and a dependency. */
function makeFolder(name: string): string {
  const folder = join(mkdtempSync(join(tmpdir(), 'e2e-')), name);
  mkdirSync(join(folder, 'lib'), { recursive: true });
  mkdirSync(join(folder, 'node_modules'));
  writeFileSync(join(folder, 'main.py'), 'def main():\n    return 1\n');
  writeFileSync(join(folder, 'lib', 'names.py'), 'NAMES = ["Ada", "Grace"]\n');
  writeFileSync(join(folder, 'notes.txt'), 'not source code\n');
  writeFileSync(join(folder, 'logo.png'), Buffer.from([137, 80, 78, 71, 0, 0]));
  writeFileSync(join(folder, 'dump.sql'), 'x'.repeat(200_001));
  writeFileSync(join(folder, 'node_modules', 'left.js'), 'left = 1\n');
  return folder;
}

test('an admin finds the pages from the sidebar, and each is found by its tab', async ({ page }) => {
  await page.goto('/');
  await page.getByRole('link', { name: 'Admin', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Admin', exact: true })).toBeVisible();
  const tabs = page.getByRole('navigation', { name: 'Admin pages' });
  for (const { tab, there } of [
    { tab: 'Users', there: 'Users' },
    { tab: 'Models & runs', there: 'Models' },
    { tab: 'Documents', there: 'Documents' },
    { tab: 'Usage', there: 'Usage' },
    { tab: 'Audit log', there: 'Audit log' },
  ]) {
    await tabs.getByRole('link', { name: tab }).click();
    await expect(page.getByRole('heading', { name: there, level: 1 })).toBeVisible();
    await expect(tabs.getByRole('link', { name: tab })).toHaveAttribute('aria-current', 'page');
  }
});

test('a run shows its stages, its loss curve also as a table, and its verdict in words', async ({ page }) => {
  await page.goto('/models');
  await page.getByRole('link', { name: /^Details of the run/ }).click();
  const stages = page.getByRole('region', { name: 'Stages' });
  await expect(stages).toContainText('30 steps over 122,880 tokens');
  await expect(stages.getByRole('heading', { name: /^Publish.*done$/ })).toBeVisible();
  await expect(page.getByRole('img', { name: /Loss by step.*from 2.4 to 1.81/ })).toBeVisible();
  await page.getByText('As a table').click();
  await expect(page.getByRole('region', { name: 'Loss by step, as a table' }).getByRole('row')).toHaveCount(
    32,
  );
  await expect(page.getByRole('region', { name: 'Gate' })).toContainText('Better by 10.1 %');
  await expect(page.getByRole('region', { name: 'Left out' })).toContainText('has a password or key in it');
});

test('a row is excluded from later runs with one click, and included again', async ({ page }) => {
  await page.goto(`/models/runs/${await runId(page)}/rows`);
  const rows = page.getByRole('list', { name: 'Rows' }).getByRole('listitem');
  await expect(rows).toHaveCount(5);
  await page.getByRole('button', { name: '1 has a password or key in it' }).click();
  await expect(rows).toHaveCount(1);
  await expect(rows).toContainText('past/secrets.py');
  await page.getByLabel('Left out because').selectOption('all');
  const trees = rows.filter({ hasText: 'past/trees.py' });
  await trees.getByRole('button', { name: /^Exclude/ }).click();
  await expect(trees).toContainText('Excluded from the next run on');
  await page.reload();
  await expect(trees).toContainText('Excluded from the next run on');
  await trees.getByRole('button', { name: /^Include again/ }).click();
  await expect(trees).not.toContainText('Excluded');
  await trees.getByText('Runs and versions that met it').click();
  const uses = trees.getByRole('list', { name: 'Runs and versions that met it' });
  await expect(uses).toContainText('1 row to learn from');
  await expect(uses).toContainText('made second');
  expect(await axeFindings(page)).toEqual([]);
});

test('on a phone the tab of the page that one is on is in view', async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await page.goto('/admin/audit');
  const tabs = page.getByRole('navigation', { name: 'Admin pages' });
  await expect(tabs.getByRole('link', { name: 'Audit log' })).toBeInViewport({ ratio: 0.9 });
});

test('a folder is uploaded, what is no source is left out, and a file is read and erased', async ({
  page,
}) => {
  const name = `tools-${Date.now()}`;
  const folder = makeFolder(name);
  await page.goto('/admin/documents');
  await page.getByLabel('A folder of source files').setInputFiles(folder);
  const dialog = page.getByRole('dialog');
  await expect(dialog).toContainText('3 files');
  await expect(dialog).toContainText('1 file is larger than 200.0 kB (dump.sql): too large to learn from');
  await expect(dialog).toContainText('1 file is not text in UTF-8 (logo.png)');
  await expect(dialog).toContainText('1 file in folders that hold no source of your own');
  await expect(dialog.getByLabel('Repository')).toHaveValue(name);
  await dialog.getByLabel('License').fill('MIT');
  await dialog.getByRole('button', { name: 'Upload 3 files' }).click();
  const outcome = dialog.getByRole('status');
  await expect(outcome.getByRole('listitem').filter({ hasText: 'new' })).toContainText('2');
  await expect(outcome).toContainText('in a language that is not trained on1');
  await dialog.getByRole('button', { name: 'Done' }).click();
  rmSync(folder, { recursive: true });

  await page.getByLabel('Repository').selectOption({ label: `${name} (2)` });
  await page.getByRole('searchbox', { name: 'Search files' }).fill('names');
  const files = page.getByRole('list', { name: 'Files' }).getByRole('button');
  await expect(files).toHaveCount(1);
  await expect(files).toHaveText(/^lib\/names\.py/);
  await files.click();
  await expect(dialog).toContainText('NAMES = ["Ada", "Grace"]');
  expect(await axeFindings(page)).toEqual([]);
  await dialog.getByRole('button', { name: 'Erase' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Erase for good' }).click();
  await expect(page.getByText(/No file here has/)).toBeVisible();
});

test('a version is promoted, answers, and is rolled back; all of it is in the audit log', async ({
  page,
}) => {
  await page.goto('/models');
  await expect(version(page, 'demo')).toContainText('Answering now');
  await page.getByRole('button', { name: 'Actions for second' }).click();
  await page.getByRole('menuitem', { name: 'Promote' }).click();
  const question = page.getByRole('alertdialog');
  await expect(question).toContainText('instead of demo');
  await question.getByRole('button', { name: 'Promote' }).click();
  await expect(version(page, 'second')).toContainText('Champion');
  await expect(version(page, 'second')).toContainText('Answering now', { timeout: 120_000 });
  await page.getByRole('button', { name: 'Roll back' }).click();
  await question.getByRole('button', { name: 'Roll back' }).click();
  await expect(version(page, 'demo')).toContainText('Champion');
  await expect(version(page, 'demo')).toContainText('Answering now', { timeout: 120_000 });

  await page.goto('/admin/audit');
  const entries = page.getByRole('list', { name: 'Entries' }).getByRole('listitem');
  await expect(entries.filter({ hasText: 'made second the champion' }).first()).toBeVisible();
  await expect(entries.first()).toContainText('rolled the model back to demo');
});

test('a challenger is served beside the champion until it is withdrawn', async ({ page }) => {
  const act = async (item: string, action: string) => {
    await page.getByRole('button', { name: 'Actions for second' }).click();
    await page.getByRole('menuitem', { name: item }).click();
    await page.getByRole('alertdialog').getByRole('button', { name: action }).click();
  };
  await page.goto('/models');
  await act('Make challenger', 'Make challenger');
  await expect(version(page, 'second')).toContainText('Challenger');
  await act('End the challenge', 'End the challenge');
  await expect(version(page, 'second')).not.toContainText('Challenger');
});
