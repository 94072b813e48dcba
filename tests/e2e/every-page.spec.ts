import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { axeFindings, expect, test } from './fixtures';
import { eachDialog, open, ROUTES } from './routes';

const APP = join(__dirname, '../../frontend/src/app');

test.use({ reducedMotion: 'reduce' });

test('the list has every route that the application has', () => {
  const sources = readdirSync(APP).filter((name) => /^router.*\.tsx$/.test(name));
  const text = sources.map((name) => readFileSync(join(APP, name), 'utf8')).join('\n');
  const paths = Array.from(text.matchAll(/\bpath: '([^']+)'/g), ([, path]) => path ?? '');
  const listed = ROUTES.map(({ pattern, path }) => pattern ?? String(path).replace(/\?.*/, ''));
  expect(paths.length).toBeGreaterThan(5);
  expect(paths.filter((path) => !listed.includes(path))).toEqual([]);
});

for (const route of ROUTES) {
  test(`axe finds nothing on ${route.name}, light and dark, and a phone need not scroll it sideways`, async ({
    page,
  }) => {
    await open(page, route);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await expect(page.locator('html')).toHaveClass(colorScheme === 'dark' ? /dark/ : /^((?!dark).)*$/);
      expect(await axeFindings(page), colorScheme).toEqual([]);
      await eachDialog(page, route, async (name) =>
        expect(await axeFindings(page), `${colorScheme}, in the dialog “${name}”`).toEqual([]),
      );
    }

    await page.setViewportSize({ width: 360, height: 740 });
    const width = () => page.evaluate(() => document.documentElement.scrollWidth);
    expect(await width()).toBe(360);
    await eachDialog(page, route, async (name) => expect(await width(), `in the dialog “${name}”`).toBe(360));
  });
}
