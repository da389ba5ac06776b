import type { Agent, AgentOptions } from 'node:http'

/** The function that sends requests, and the agent that keeps the connections. */
export interface Client {
  request: typeof import('node:http').request
  agent: Agent
}

// The settings of Node.js's global agents.
const KEPT: AgentOptions = { keepAlive: true, scheduling: 'lifo', timeout: 5_000 }

// Property of our agents, which `intercept/notice-http.cts` lets pass: this process may answer its own requests to the Hub, as in tests of
// Jest that run while their main process downloads. A download would wait for itself.
const OWN_AGENT = Symbol.for('vitest-model-cache.own-agent')

const clients = new Map<string, Promise<Client>>()

/** The client of this process for that protocol. node:http or node:https is loaded with the first request. */
export function clientOf({ protocol }: URL): Promise<Client> {
  const known = clients.get(protocol)
  if (known) return known
  const client = protocol === 'https:' ? secure() : plain()
  clients.set(protocol, client)
  return client
}

async function plain(): Promise<Client> {
  const { Agent, request } = await import('node:http')
  return { request, agent: ownAgent(new Agent(KEPT)) }
}

async function secure(): Promise<Client> {
  const { Agent, request } = await import('node:https')
  return { request, agent: ownAgent(new Agent(KEPT)) }
}

function ownAgent(agent: Agent): Agent {
  return Object.defineProperty(agent, OWN_AGENT, { value: true })
}
