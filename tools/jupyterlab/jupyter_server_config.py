"""A notebook that is only opened does not show as modified.

JupyterLab writes into it which Python its kernel is. One that was saved by another Python would
differ from then on, so it is read with the Python that is here.
"""

from ipykernel.ipkernel import IPythonKernel
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager


class Contents(AsyncLargeFileManager):
    async def get(self, path, *args, **options):
        model = await super().get(path, *args, **options)
        match model["content"]:
            case {"metadata": {"kernelspec": {"name": "python3"}} as metadata}:
                metadata["language_info"] = dict(IPythonKernel.language_info)
        return model


c.ServerApp.contents_manager_class = Contents  # noqa: F821
