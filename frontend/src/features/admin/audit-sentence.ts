import type { AuditEntry } from '@/api/generated';

/** What an entry of the audit log says, as a sentence. An action that is not known here is named by its code. */
export function auditSentence({ who, action, subject, details }: AuditEntry): string {
  return `${who ?? (details.run_id ? 'The weekly run' : NOBODY)} ${deedOf(action, subject, details)}`;
}

const NOBODY = 'Somebody whose account is deleted';

type Details = AuditEntry['details'];

function deedOf(action: string, subject: string, details: Details): string {
  switch (action) {
    case 'user.create':
      return `made an account for ${subject}${details.role === 'admin' ? ', as an admin' : ''}`;
    case 'user.update':
      return changesOf(subject, details);
    case 'user.link':
      return `made a password link for ${subject}`;
    case 'user.delete':
      return `deleted the account of ${subject}`;
    case 'model.rollback':
      return `rolled the model back to ${subject}`;
    case 'model.promote':
      return `made ${subject} the champion`;
    case 'model.challenge':
      return `made ${subject} the challenger`;
    case 'model.end_challenge':
      return `ended the challenge of ${subject}`;
    case 'training.exclude':
      return `excluded ${sourceOf(subject)} from training`;
    case 'training.include':
      return `included ${sourceOf(subject)} in training again`;
    case 'documents.upload':
      return uploadOf(subject, details);
    case 'documents.erase':
      return `erased the file ${subject}`;
    default:
      return subject ? `did “${action}” to ${subject}` : `did “${action}”`;
  }
}

function changesOf(subject: string, { name, role, active }: Details): string {
  const deeds = [];
  if (name !== undefined) deeds.push(`renamed ${subject} to “${name}”`);
  if (role !== undefined) deeds.push(`made ${subject} ${role === 'admin' ? 'an admin' : 'a member'}`);
  if (active !== undefined)
    deeds.push(`${String(active).toLowerCase() === 'true' ? 'activated' : 'deactivated'} ${subject}`);
  return deeds.length > 0 ? deeds.join(' and ') : `changed the account of ${subject}`;
}

const SOURCES: Record<string, string> = {
  correction: 'a correction',
  rating: 'a rated answer',
  interaction: 'an API call',
  document: 'a source file',
};

/** `rating/0193…` → `a rated answer (0193…)` */
function sourceOf(subject: string): string {
  const [kind = '', id = ''] = subject.split('/');
  return `${SOURCES[kind] ?? kind} (${id})`;
}

function uploadOf(subject: string, details: Details): string {
  const { new: fresh = 0, changed = 0 } = details as { new?: number; changed?: number };
  return `uploaded source files of ${subject}: ${fresh} new, ${changed} changed`;
}
