"""Files in the current folder."""


def put(name, data):
    data = data.encode() if isinstance(data, str) else data
    with open(name, "wb") as file:  # noqa: PTH123
        file.write(data)
    return name
