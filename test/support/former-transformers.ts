/**
 * A package @xenova/transformers with the code that reads a model in transformers.js 2.5 to 3.8; the relevant lines are copied
 * from there. Its `put` calls `env.whileHalfWritten` when half of the file is written. `npm run matrix -- --transformers` runs
 * the real packages.
 */
export const FORMER_TRANSFORMERS: Record<string, string> = {
  'node_modules/@xenova/transformers/package.json':
    '{ "name": "@xenova/transformers", "version": "2.17.2", "type": "module", "main": "./src/utils/hub.js" }',
  'node_modules/@xenova/transformers/src/utils/hub.js': `
import fs from 'fs';
import path from 'path';

export const env = {
    remoteHost: 'https://huggingface.co/', remotePathTemplate: '{model}/resolve/{revision}/',
    allowLocalModels: true, allowRemoteModels: true, localModelPath: './models/', cacheDir: './own-cache/',
    useFSCache: true, useCustomCache: false, customCache: null, whileHalfWritten: async () => {},
}

class FileResponse {
    _CONTENT_TYPE_MAP = {
        'txt': 'text/plain',
        'json': 'application/json',
    }
    constructor(filePath) {
        this.filePath = filePath;
        this.headers = new Headers();
        this.exists = fs.existsSync(filePath);
        this.status = this.exists ? 200 : 404;
        if (this.exists) this.updateContentType();
    }
    updateContentType() {
        const extension = this.filePath.toString().split('.').pop().toLowerCase();
        this.headers.set('content-type', this._CONTENT_TYPE_MAP[extension] ?? 'application/octet-stream');
    }
    async arrayBuffer() {
        const data = await fs.promises.readFile(this.filePath);
        return data.buffer;
    }
}

function handleError(status, remoteURL, fatal) {
    if (!fatal) {
        return null;
    }
    throw Error(\`Could not locate file: "\${remoteURL}".\`);
}

class FileCache {
    constructor(path) {
        this.path = path;
    }
    async match(request) {
        let file = new FileResponse(path.join(this.path, request));
        return file.exists ? file : undefined;
    }
    async put(request, response) {
        const buffer = Buffer.from(await response.arrayBuffer());
        let outputPath = path.join(this.path, request);
        await fs.promises.mkdir(path.dirname(outputPath), { recursive: true });
        await fs.promises.writeFile(outputPath, buffer.subarray(0, buffer.length / 2));
        await env.whileHalfWritten();
        await fs.promises.writeFile(outputPath, buffer);
    }
}

async function tryCache(cache, ...names) {
    for (let name of names) {
        let result = await cache.match(name);
        if (result) return result;
    }
    return undefined;
}

export async function getModelFile(path_or_repo_id, filename, fatal = true, options = {}) {
    let cache;
    if (!cache && env.useFSCache) {
        cache = new FileCache(options.cache_dir ?? env.cacheDir);
    }
    if (!cache && env.useCustomCache) {
        cache = env.customCache;
    }
    const revision = options.revision ?? 'main';

    let requestURL = pathJoin(path_or_repo_id, filename);
    let localPath = pathJoin(env.localModelPath, requestURL);

    let remoteURL = pathJoin(
        env.remoteHost,
        env.remotePathTemplate
            .replaceAll('{model}', path_or_repo_id)
            .replaceAll('{revision}', encodeURIComponent(revision)),
        filename
    );
    let fsCacheKey = revision === 'main' ? requestURL : pathJoin(path_or_repo_id, revision, filename);
    let proposedCacheKey = cache instanceof FileCache ? fsCacheKey : remoteURL;

    /** @type {Response|FileResponse|undefined} */
    let response;

    if (cache) {
        // A caching system is available, so we try to get the file from it.
        //  1. We first try to get from cache using the local path.
        response = await tryCache(cache, localPath, proposedCacheKey);
    }

    const cacheHit = response !== undefined;

    if (response === undefined) {
        if (env.allowLocalModels) {
            response = new FileResponse(localPath);
        }
        if (response === undefined || response.status === 404) {
            if (options.local_files_only || !env.allowRemoteModels) {
                return handleError(404, remoteURL, fatal);
            }
            response = await fetch(remoteURL);
            if (response.status !== 200) {
                return handleError(response.status, remoteURL, fatal);
            }
        }
    }
    const buffer = new Uint8Array(await response.arrayBuffer());
    if (!cacheHit && response instanceof Response && cache && (await cache.match(proposedCacheKey)) === undefined) {
        await cache.put(proposedCacheKey, new Response(buffer, { headers: response.headers }));
    }
    return buffer;
}

function pathJoin(...parts) {
    return parts.map((part, index) => (index ? part.replace(/^\\//, '') : part).replace(/\\/$/, '')).join('/');
}
`,
}
