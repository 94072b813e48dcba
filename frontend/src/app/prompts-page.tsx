import { PromptsPage as Prompts } from '@/features/prompts/prompts-page';
import { useUsePrompt } from './prompt-library';

export function PromptsPage() {
  return <Prompts onUse={useUsePrompt()} />;
}
