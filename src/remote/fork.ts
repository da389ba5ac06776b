import { readFileSync, statSync } from 'node:fs'
import type { Environment } from '../config/environment-variables.ts'
import { isObject, isText } from '../model/json.ts'

// Who opens a pull request from a fork decides what code runs. Such a run must not write what other runs read. CI services keep secrets from
// such runs, but not always: `pull_request_target` of GitHub has them, and self-hosted runners may have credentials of their own.
// Where the service does not say where the code comes from, it counts as a fork's.

/** True in a run of CI whose code comes from a fork, or may come from one. */
export function isOfFork(env: Environment): boolean {
  return [ofGitHub, ofGitLab, ofCircle, ofAzure, ofBuildkite, ofTravis].some((isOfService) => isOfService(env))
}

// These events have code of the repository itself: who causes them may write to it.
const OWN_EVENTS = ['push', 'schedule', 'workflow_dispatch', 'repository_dispatch', 'merge_group', 'release']
/** Bytes. GitHub sends no event that is larger. */
const LARGEST_EVENT = 32 << 20

/**
 * GitHub Actions, and Gitea and Forgejo, which have the same variables.
 * https://docs.github.com/en/webhooks/webhook-events-and-payloads
 */
function ofGitHub({ GITHUB_ACTIONS, GITHUB_EVENT_NAME = '', GITHUB_EVENT_PATH }: Environment): boolean {
  if (!GITHUB_ACTIONS || OWN_EVENTS.includes(GITHUB_EVENT_NAME)) return false
  const event = GITHUB_EVENT_PATH ? readJson(GITHUB_EVENT_PATH) : undefined
  if (event === undefined) return true
  const { pull_request: pull, workflow_run: run, issue } = event
  if (isObject(pull)) return !isSameRepo(repoOf(pull.head), repoOf(pull.base))
  // A workflow that runs after another one: it may use what a pull request has made.
  if (isObject(run)) return !isSameRepo(run.head_repository, event.repository)
  // A comment on a pull request. The event does not say where its code comes from.
  if (isObject(issue) && issue.pull_request) return true
  return /^(pull_request|workflow_run)/.test(GITHUB_EVENT_NAME)
}

function readJson(path: string): Readonly<Record<string, unknown>> | undefined {
  try {
    if (statSync(path).size > LARGEST_EVENT) return undefined
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function repoOf(side: unknown): unknown {
  return isObject(side) ? side.repo : undefined
}

/** False if one of them is not known: the repository of a fork may have been deleted. */
function isSameRepo(a: unknown, b: unknown): boolean {
  if (!isObject(a) || !isObject(b)) return false
  return isText(a.full_name) && a.full_name !== '' && a.full_name === b.full_name
}

/** https://docs.gitlab.com/ci/variables/predefined_variables/ */
function ofGitLab(env: Environment): boolean {
  if (!env.GITLAB_CI) return false
  if (env.CI_MERGE_REQUEST_ID || env.CI_MERGE_REQUEST_IID)
    return isOther(env.CI_MERGE_REQUEST_SOURCE_PROJECT_ID, env.CI_MERGE_REQUEST_PROJECT_ID)
  if (env.CI_EXTERNAL_PULL_REQUEST_IID)
    return isOther(env.CI_EXTERNAL_PULL_REQUEST_SOURCE_REPOSITORY, env.CI_EXTERNAL_PULL_REQUEST_TARGET_REPOSITORY)
  return false
}

/** These variables are set for pull requests from forks only. https://circleci.com/docs/reference/variables/ */
function ofCircle({ CIRCLECI, CIRCLE_PR_NUMBER, CIRCLE_PR_REPONAME, CIRCLE_PR_USERNAME }: Environment): boolean {
  return Boolean(CIRCLECI && (CIRCLE_PR_NUMBER || CIRCLE_PR_REPONAME || CIRCLE_PR_USERNAME))
}

/** https://learn.microsoft.com/azure/devops/pipelines/build/variables */
function ofAzure({ TF_BUILD, BUILD_REASON, SYSTEM_PULLREQUEST_ISFORK: isFork }: Environment): boolean {
  const isPullRequest = BUILD_REASON === 'PullRequest' || Boolean(isFork)
  return Boolean(TF_BUILD) && isPullRequest && isFork?.toLowerCase() !== 'false'
}

/** https://buildkite.com/docs/pipelines/configure/environment-variables */
function ofBuildkite(env: Environment): boolean {
  const { BUILDKITE, BUILDKITE_PULL_REQUEST: number, BUILDKITE_PULL_REQUEST_REPO: from, BUILDKITE_REPO: own } = env
  if (!BUILDKITE || !number || number === 'false') return false
  return isOther(placeOf(from), placeOf(own))
}

/** Host and path of a repository: services write its address in several ways, such as `git@host:path.git`. */
function placeOf(address = ''): string | undefined {
  const [, host, path] =
    /^(?:\w+:\/\/)?(?:[^@/]+@)?([^:/]+)(?::\d+(?=\/))?[:/]\/*(.+?)(?:\.git)?\/*$/.exec(address) ?? []
  return host && path && `${host}/${path}`.toLowerCase()
}

/** https://docs.travis-ci.com/user/environment-variables/ */
function ofTravis({ TRAVIS, TRAVIS_PULL_REQUEST, TRAVIS_PULL_REQUEST_SLUG, TRAVIS_REPO_SLUG }: Environment): boolean {
  if (!TRAVIS || !TRAVIS_PULL_REQUEST || TRAVIS_PULL_REQUEST === 'false') return false
  return isOther(TRAVIS_PULL_REQUEST_SLUG, TRAVIS_REPO_SLUG)
}

/** True also if the source of the code is not known. */
function isOther(source: string | undefined, own: string | undefined): boolean {
  return !source || source !== own
}
