import type { AuditEntry } from '@/api/generated';

/** What an entry of the audit log says, as a sentence. An action that is not known here is named by its code. */
export function auditSentence({ who, action, subject, details }: AuditEntry): string {
  return `${who ?? 'Somebody whose account is deleted'} ${deedOf(action, subject, details)}`;
}

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
