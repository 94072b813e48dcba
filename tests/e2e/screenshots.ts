/** Pictures of every page, for people to look at; `npm run screenshots` takes them, no test does. */
import { join } from 'node:path';
import { test } from './fixtures';
import { eachDialog, open, ROUTES } from './routes';

const FOLDER = process.env.SCREENSHOTS ?? 'test-results/screenshots';
const README = process.env.SCREENSHOTS_README;

const LOOKS = {
  light: { colorScheme: 'light', viewport: { width: 1280, height: 800 } },
  dark: { colorScheme: 'dark', viewport: { width: 1280, height: 800 } },
  phone: {
    colorScheme: 'light',
    viewport: { width: 360, height: 740 },
    isMobile: true,
    hasTouch: true,
    deviceScaleFactor: 2,
  },
} as const;

for (const [look, use] of Object.entries(LOOKS)) {
  test.describe(look, () => {
    test.use({ ...use, reducedMotion: 'reduce' });

    for (const route of ROUTES) {
      test(`${route.name} in ${look}`, async ({ page }) => {
        const picture = (name: string) =>
          page.screenshot({ path: join(FOLDER, `${route.name}${name}-${look}.png`), caret: 'hide' });
        await open(page, route);
        await picture('');
        if (README && route.readme?.includes(look))
          await page.screenshot({ path: join(README, `${route.name}-${look}.png`), caret: 'hide' });
        let number = 0;
        await eachDialog(page, route, async () => {
          number += 1;
          await picture(`-dialog-${number}`);
        });
      });
    }
  });
}
