import { defineConfig } from '@playwright/test';
import tests from './playwright.config';

/** Takes pictures of every page of the product at BASE_URL, into the folder SCREENSHOTS. */
export default defineConfig({
  ...tests,
  testMatch: 'screenshots.ts',
  retries: 0,
});
