/** Following a job until it has ended. */

import { ApiError, getJson, request } from './api.js';
import { hasText, text } from './i18n.js';
import { sentenceText } from './sentences.js';

const POLL_MS = 400;
const TRIES = 5;

/**
 * @param {string} path of the job, below the server's root.
 * @param {(job: any) => void} tell called with each state.
 * @returns {Promise<any>} the job when it has succeeded.
 * @throws {Error} with the sentence that tells why it failed.
 */
export async function follow(path, tell) {
  for (let failures = 0; ; ) {
    try {
      const job = await getJson(path);
      failures = 0;
      tell(job);
      if (job.State === 'Success') return job;
      if (job.State === 'Failure') throw new JobFailure(job);
    } catch (error) {
      const isOver = error instanceof JobFailure || (error instanceof ApiError && error.status < 500);
      failures += 1;
      if (isOver || failures >= TRIES) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** @param {string} path */
export async function cancel(path) {
  await request(`${path}/cancel`, { method: 'POST', body: '{}' });
}

class JobFailure extends Error {
  constructor(job) {
    const isCancelled = job.ErrorDescription === 'Canceled job';
    super(isCancelled ? text('cancelled') : failureText(job));
  }
}

/** @param {any} job that has failed. @returns {string} why. */
export function failureText(job) {
  return sentenceText({ ...job.Content, Message: job.ErrorDetails || job.ErrorDescription });
}

/** @param {any} job @returns {string} what it is doing, in a sentence. */
export function stageText(job) {
  if (job.State === 'Pending' || job.State === 'Paused') return text('stage.waiting');
  const stage = `stage.${job.Content?.Stage}`;
  const done = job.Content?.Structures?.length;
  return text(hasText(stage) ? stage : 'stage.reading') + (done ? ` ${text('structuresDone', { done })}` : '');
}
