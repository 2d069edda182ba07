"""aiohttp with 8 in flight: with_aiohttp.py FILE. The addresses, a line each."""

import asyncio
import os
import sys

import aiohttp


async def main():
    records = 0
    headers = {"Authorization": "Bearer " + os.environ["CALIRA_TOKEN"]}
    with open(sys.argv[1]) as file:
        addresses = iter(file.read().split())

    async def work():
        nonlocal records
        for address in addresses:  # shared by all eight
            async with session.get(address) as answer:
                answer.raise_for_status()
                body = await answer.json()
                records += len(body) if isinstance(body, list) else 1

    async with aiohttp.ClientSession(headers=headers) as session:
        await asyncio.gather(*(work() for _ in range(8)))
    print(records)


asyncio.run(main())
