import { existsSync } from 'node:fs';
import { defineConfig } from '@playwright/test';

/** The same Chromium; without a desktop to draw for, the shell takes a quarter less time. */
const CHROMIUM = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'].find((path) => existsSync(path));

/** Browser tests against a product that already runs at BASE_URL; nothing is started here. */
export default defineConfig({
  testDir: '../tests/e2e',
  // These need endless answers and a site whose parts can be killed; its address of controls tells that there is one.
  testIgnore: process.env.CONTROL_URL ? undefined : ['**/streams/**', '**/bad-days/**'],
  outputDir: 'test-results',
  workers: 1,
  timeout: 240_000,
  expect: { timeout: 20_000 },
  forbidOnly: Boolean(process.env.CI),
  reporter: 'list',
  use: {
    baseURL: process.env.BASE_URL ?? 'http://127.0.0.1:8080',
    // A trace makes a run a quarter longer: TRACE=1 keeps those of tests that fail.
    trace: process.env.TRACE ? 'retain-on-failure' : 'off',
    screenshot: 'only-on-failure',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? CHROMIUM,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
});
