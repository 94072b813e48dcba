import { defineConfig } from '@hey-api/openapi-ts';

/** The chat application's own API; scripts' routes (/v1, /chat, /generate) and the event stream are not called from here. */
export default defineConfig({
  input: 'openapi.json',
  output: { path: 'src/api/generated' },
  parser: {
    filters: {
      operations: { include: ['/^[A-Z]+ \\/api\\/(?!generations\\/.*\\/events)/'] },
      schemas: {
        include: ['SnapshotEvent', 'QueuedEvent', 'ReadingEvent', 'TextDelta', 'EndEvent', 'Problem'],
      },
      orphans: true,
    },
  },
  plugins: ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk', '@tanstack/react-query'],
});
